"""Writing many features into one vector file, some at a time."""

import errno
import json
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyogrio
from pyarrow import parquet
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS: Final = {".gpkg": "GPKG", ".fgb": "FlatGeobuf", ".parquet": "Parquet"}
"""GDAL's name of a vector format by suffix."""


def write_frames(
    frames: Iterator[gpd.GeoDataFrame], path: Path, layer: str, geometry_type: str
) -> None:
    """Write frames one after the other, so that one at a time is in memory.

    Args:
        frames: at least one, all with the same columns and coordinate reference system.
        path: file to write, ending in one of :data:`FORMATS`; not there yet.
        layer: name of the layer, where the format has some.
        geometry_type: as OGR calls it: ``"Polygon"``.

    Raises:
        OSError: if the file cannot be written.
    """
    driver = FORMATS[path.suffix.lower()]
    if driver == "Parquet":
        _write_parquet(frames, path, geometry_type)
    else:
        _write_with_gdal(frames, path, layer, driver, geometry_type)


def _write_with_gdal(
    frames: Iterator[gpd.GeoDataFrame], path: Path, layer: str, driver: str, geometry_type: str
) -> None:
    first = next(frames)
    schema = _table(first).schema
    failed: list[BaseException] = []

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for frame in chain([first], frames):
                yield from _table(frame).cast(schema).to_batches()
        except BaseException as error:
            failed.append(error)
            raise

    try:
        pyogrio.write_arrow(
            pa.RecordBatchReader.from_batches(schema, batches()),
            path,
            layer=layer,
            driver=driver,
            geometry_name=first.geometry.name,
            geometry_type=geometry_type,
            crs=None if first.crs is None else first.crs.to_wkt(),
            # Version 1.4 of GeoPackage, the newest, adds nothing here but a warning in GDAL
            # before 3.7.
            dataset_options={"VERSION": "1.2"} if driver == "GPKG" else {},
        )
    except (DataSourceError, DataLayerError, FeatureError) as error:
        raise OSError(errno.EIO, str(error)) from error
    finally:
        if failed:  # of which GDAL passes on the text at most
            raise failed[0]


def _table(frame: gpd.GeoDataFrame) -> pa.Table:
    return pa.table(frame.to_arrow(index=False))


def _write_parquet(frames: Iterator[gpd.GeoDataFrame], path: Path, geometry_type: str) -> None:
    """Write GeoParquet: each frame as GeoPandas writes it, the metadata for all of them."""
    bounds: list[NDArray[np.float64]] = []
    geo: dict[str, Any] = {}
    with ExitStack() as stack:
        writer = None
        for frame in frames:
            alone = BytesIO()
            frame.to_parquet(alone, index=False, write_covering_bbox=True)
            table = parquet.read_table(alone)
            geo = json.loads(table.schema.metadata[b"geo"])
            table = table.replace_schema_metadata()
            if writer is None:
                writer = stack.enter_context(
                    parquet.ParquetWriter(path, table.schema, compression="zstd")
                )
            writer.write_table(table)
            if len(frame):
                bounds.append(frame.total_bounds)
        if writer is not None:
            column = geo["columns"][geo["primary_column"]]
            column["geometry_types"] = [geometry_type]
            if bounds:
                low, high = np.min(bounds, axis=0)[:2], np.max(bounds, axis=0)[2:]
                column["bbox"] = [*low.tolist(), *high.tolist()]
            writer.add_key_value_metadata({"geo": json.dumps(geo)})
