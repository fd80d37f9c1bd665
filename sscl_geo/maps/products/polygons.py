"""A map as polygons, one for each connected region of a class."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.classes import ClassTable, nodata_of
from sscl_geo.errors import OutputError
from sscl_geo.geometry.affine import matrix_from_affine, transform_points
from sscl_geo.io.vector_writing import FORMATS, write_frames
from sscl_geo.maps.areas import GroundArea
from sscl_geo.maps.products.joining import Cut, RegionJoiner
from sscl_geo.maps.products.regions import Regions, trace_regions
from sscl_geo.maps.products.simplification import simplify_regions
from sscl_geo.progress import progress_bar

CHUNK: Final = 20_000
"""Polygons that are written at once."""

STRIP: Final = 2**20
"""Pixels of the map that are traced at once, about."""

_GDAL_CACHE: Final = 2**26
"""Bytes of decoded blocks that GDAL keeps while the map is read."""


def write_polygons(
    class_map: Path,
    path: Path,
    classes: ClassTable,
    geobox: GeoBox,
    *,
    confidence: Path | None = None,
    simplify: float = 0.0,
) -> None:
    """Write the regions of a map as polygons: GeoPackage, FlatGeobuf or GeoParquet, by the suffix.

    Pixels that touch at a corner only belong to different polygons, so every polygon is valid, and
    burning the polygons back into the grid gives the map again. The map is traced strip by strip,
    and regions that reach into several are put together again: the polygons are those of the whole
    map. In memory are one strip, and the outlines of the regions that it does not end.

    The layer ``classes`` has the columns ``value`` (class value), ``name`` (class name),
    ``area_ha`` (area of the polygon on the ellipsoid in hectares, see
    :class:`~sscl_geo.maps.areas.GroundArea`; missing on grids without a place on the globe) and
    ``confidence`` (mean over the region's pixels in percent; missing without a confidence raster).

    Args:
        class_map: the map, one uint8 or uint16 band of class values; the highest value of its type
            and its nodata value are left out.
        path: file to write, ending in one of :data:`~sscl_geo.io.vector_writing.FORMATS`.
        classes: values and names.
        geobox: the map's grid.
        confidence: percent of each pixel on the same grid, or None.
        simplify: tolerance in pixels; 0 keeps the outlines of the pixels. Neighbours are simplified
            together, so that their shared borders stay shared, without gaps or overlaps. Where a
            border passes from one strip to the next it keeps a point.

    Raises:
        OutputError: if the suffix is none of :data:`~sscl_geo.io.vector_writing.FORMATS`.
        OSError: if the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise OutputError(
            f"Polygons are written as {', '.join(FORMATS)}, but {path.name} ends in none of them; "
            "rename it."
        )
    columns = _Columns(classes, geobox, with_confidence=confidence is not None)
    regions = _regions(class_map, confidence, simplify)
    with rasterio.Env(GDAL_CACHEMAX=_GDAL_CACHE):
        frames = (columns.frame(chunk) for chunk in _chunks(regions))
        write_frames(frames, path, "classes", "Polygon")


def _regions(class_map: Path, confidence: Path | None, simplify: float) -> Iterator[Regions]:
    """Trace a map strip by strip."""
    joiner = RegionJoiner(keep_vertices=simplify > 0)
    above: NDArray[np.unsignedinteger] = np.empty(0, np.uint8)
    with ExitStack() as stack:
        source = stack.enter_context(rasterio.open(class_map))
        sure = None if confidence is None else stack.enter_context(rasterio.open(confidence))
        bar = stack.enter_context(progress_bar("polygons", total=source.height))
        step = max(STRIP // source.width, 1)
        for top in range(0, source.height, step):
            bottom = min(top + step, source.height)
            rows = _read(source, top, min(bottom + 1, source.height))
            values, below = rows[: bottom - top], rows[bottom - top :].ravel()
            percent = None if sure is None else _read(sure, top, bottom)
            pieces = trace_regions(values, top, percent, keep_nodata=simplify > 0)
            if simplify > 0:
                pieces = simplify_regions(pieces, simplify, (top, bottom), above, below)
                pieces = pieces.where(pieces.class_values != nodata_of(values.dtype))
            cut = Cut(top, bottom, _go_on(values[0], above), _go_on(values[-1], below))
            yield joiner.add(pieces, cut)
            above = values[-1]
            bar.advance(bottom - top)


def _read(source: rasterio.DatasetReader, begin: int, end: int) -> NDArray[np.unsignedinteger]:
    """Rows of a map; without data they have the highest value of their type."""
    rows = source.read(1, window=((begin, end), (0, source.width)))
    if source.nodata is not None:
        rows[rows == source.nodata] = nodata_of(rows.dtype)
    return rows


def _go_on(
    row: NDArray[np.unsignedinteger], beside: NDArray[np.unsignedinteger]
) -> NDArray[np.bool_]:
    """Where regions go on in the row beside, if there is one."""
    if not len(beside):
        return np.zeros(len(row), np.bool_)
    return (row == beside) & (row != nodata_of(row.dtype))


def _chunks(found: Iterator[Regions]) -> Iterator[Regions]:
    """The same regions, :data:`CHUNK` at once; an empty collection if there are none."""
    waiting = next(found)
    for more in found:
        waiting = Regions.together([waiting, more])
        while len(waiting) > CHUNK:
            yield waiting.where(slice(CHUNK))
            waiting = waiting.where(slice(CHUNK, None))
    yield waiting


class _Columns:
    """Makes the features of regions.

    Args:
        classes: values and names.
        geobox: the map's grid.
        with_confidence: whether there is a confidence.
    """

    def __init__(self, classes: ClassTable, geobox: GeoBox, *, with_confidence: bool) -> None:
        self._names = {c.value: c.name for c in classes}
        self._crs = geobox.crs.to_wkt() if geobox.crs else None
        self._to_map = matrix_from_affine(geobox.affine)
        self._ground = GroundArea(geobox)
        self._with_confidence = with_confidence

    def frame(self, regions: Regions) -> gpd.GeoDataFrame:
        """Features of some regions, in map coordinates."""
        names = [self._names.get(v, f"class {v}") for v in regions.class_values.tolist()]
        frame = gpd.GeoDataFrame(
            {
                "value": regions.class_values,
                "name": pd.array(names, dtype="string"),
            },
            geometry=shapely.transform(
                regions.polygons, lambda xy: transform_points(self._to_map, xy)
            ),
            crs=self._crs,
        )
        if self._ground.is_known:
            frame["area_ha"] = self._ground.polygon_hectares(regions.polygons)
        if self._with_confidence:
            frame["confidence"] = regions.confidence
        return frame
