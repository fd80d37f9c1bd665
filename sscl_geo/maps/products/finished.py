"""A finished map, read back from its files: what every product is made from."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioIOError

from sscl_geo.classes import NODATA, ClassTable, map_dtype, nodata_of
from sscl_geo.errors import SceneError
from sscl_geo.io.legend import read_legend
from sscl_geo.io.remote import side_car_env
from sscl_geo.maps.class_areas import ClassAreas
from sscl_geo.maps.files import RUN_TAG
from sscl_geo.maps.products.attributes import read_order
from sscl_geo.progress import progress_bar

_ROWS: Final = 512
"""Rows that are read at once."""


@dataclass(frozen=True, eq=False)
class FinishedMap:
    """A class map on disk with all that it says about itself.

    Attributes:
        path: the GeoTIFF, one band of class values.
        dtype: type of its pixels, ``"uint8"`` or ``"uint16"``.
        geobox: its grid.
        classes: its classes in the order of its legend.
        pixels: number of pixels of each class, int64 of shape (K,).
        hectares: ground area of each class, float64 of shape (K,); NaN if not known.
        tags: text by name from the file: versions, bundle, parameters.
        confidence: raster of the probability of the most probable class, in percent, if one of the
            same run lies beside.
    """

    path: Path
    dtype: str
    geobox: GeoBox
    classes: ClassTable
    pixels: NDArray[np.int64]
    hectares: NDArray[np.float64]
    tags: Mapping[str, str]
    confidence: Path | None

    @property
    def nodata(self) -> int:
        """Value of pixels without data: 255 of uint8, 65535 of uint16."""
        return nodata_of(self.dtype)

    def areas(self) -> pd.DataFrame:
        """Table with a row a class: value, name, color, pixels, percent of the map, area_ha."""
        return pd.DataFrame(
            {
                "value": list(self.classes.values),
                "name": self.classes.names,
                "color": [c.hex_color for c in self.classes],
                "pixels": self.pixels,
                "percent": 100 * self.pixels / max(int(self.pixels.sum()), 1),
                "area_ha": self.hectares,
            }
        )


def open_map(path: str | os.PathLike[str]) -> FinishedMap:
    """Read what a class map says about itself, and count its pixels, a band of rows at a time.

    Any raster of one uint8 or uint16 band will do; classes without a name are called ``class N``,
    but values beyond 254, which images also have, need one.

    Args:
        path: a map that ``segment`` wrote, with its ``.aux.xml`` beside it.

    Raises:
        SceneError: if the file is missing or is no such raster, or holds no class or one
            beyond 254 without a name.
    """
    path = Path(path)
    if not path.is_file():
        raise SceneError(f"There is no map {path}; check the path.")
    try:
        with side_car_env(path), rasterio.open(path) as source:
            dtype = source.dtypes[0]
            if source.count != 1 or dtype not in {"uint8", "uint16"}:
                raise SceneError(
                    f"{path} has {source.count} bands of {dtype}; "
                    "give a map of one uint8 or uint16 band, as 'segment' writes."
                )
            if source.crs is None:
                raise SceneError(
                    f"{path} has no coordinate reference system; set it, for example with "
                    "'gdal_edit.py -a_srs EPSG:CODE FILE'."
                )
            geobox = GeoBox(source.shape, source.transform, source.crs)
            tags = {k: v for k, v in source.tags().items() if isinstance(v, str)}
            nodata = source.nodata
            areas = _count(source, geobox)
    except RasterioIOError as error:
        raise SceneError(
            f"{path} cannot be read as a map; check that it is a whole raster ({error})."
        ) from error
    legend = read_legend(path)
    order = read_order(path.with_name(f"{path.name}.aux.xml"))
    empty = {nodata_of(dtype), nodata_of(map_dtype(legend.names)), nodata}
    found = set(np.flatnonzero(areas.pixels).tolist()) - empty
    strange = next((v for v in sorted(found) if v >= NODATA and v not in legend.names), None)
    if strange is not None:
        raise SceneError(
            f"{path} holds the value {strange}, which has no name; give a map of classes, with "
            f"names of those beyond {NODATA - 1} in an attribute table or a style beside it."
        )
    found = (found | set(legend.names)) - empty
    if not found:
        raise SceneError(f"{path} has no pixel with a class; segment a scene that has data.")
    table = legend.table(found)
    by_value = {c.value: c for c in table}
    ordered = [v for v in order if v in by_value]
    ordered += [v for v in by_value if v not in ordered]
    classes = ClassTable(tuple(by_value[v] for v in ordered))
    confidence = path.with_suffix(".confidence.tif")
    return FinishedMap(
        path=path,
        dtype=dtype,
        geobox=geobox,
        classes=classes,
        pixels=areas.pixels[ordered],
        hectares=areas.hectares[ordered],
        tags=tags,
        confidence=confidence if _is_of_this_run(confidence, tags, geobox) else None,
    )


def _is_of_this_run(layer: Path, tags: Mapping[str, str], geobox: GeoBox) -> bool:
    """Whether a layer beside a map belongs to it, and was not left behind by another run."""
    if not layer.is_file():
        return False
    with rasterio.open(layer) as source:
        same_run = source.tags().get(RUN_TAG) == tags.get(RUN_TAG)
        return same_run and source.shape == geobox.shape and source.transform == geobox.affine


def _count(source: rasterio.DatasetReader, geobox: GeoBox) -> ClassAreas:
    areas = ClassAreas(geobox, nodata_of(source.dtypes[0]) + 1)
    with progress_bar(f"read {Path(source.name).name}", total=source.height) as bar:
        for top in range(0, source.height, _ROWS):
            rows = min(_ROWS, source.height - top)
            areas.add(source.read(1, window=((top, top + rows), (0, source.width))))
            bar.advance(rows)
    return areas
