"""The files of one map: written together, seen together or not at all."""

import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.classes import NODATA, ClassTable
from sscl_geo.io.atomic import atomic_path
from sscl_geo.maps.areas import ClassAreas
from sscl_geo.maps.cog import write_cog
from sscl_geo.maps.disk import writing_into
from sscl_geo.maps.products.attributes import write_attributes
from sscl_geo.maps.products.polygons import write_polygons
from sscl_geo.maps.products.style import write_style
from sscl_geo.maps.writer import BandStyle, RowWriter

WriteRows = Callable[[NDArray[np.uint8], NDArray[np.uint8]], None]
"""Appends rows to a map: class values and confidence in percent, uint8 of shape (rows, width)."""


@dataclass(frozen=True)
class MapProducts:
    """Paths of the files that make up a map.

    Attributes:
        class_map: Cloud Optimized GeoTIFF of class values, uint8, 255 where the scene has no data.
        attributes: category names and attribute table of the map, ``<class_map>.aux.xml``.
        style: QGIS style of the map, ``.qml``.
        confidence: Cloud Optimized GeoTIFF of the probability of the class shown, in whole
            percent, uint8, 255 where the scene has no data; None if not wanted.
        polygons: GeoPackage of the connected regions of each class; None if not wanted.
    """

    class_map: Path
    attributes: Path
    style: Path
    confidence: Path | None = None
    polygons: Path | None = None


@contextmanager
def write_map(
    products: MapProducts, geobox: GeoBox, classes: ClassTable, tags: Mapping[str, str]
) -> Generator[WriteRows]:
    """Write the files of one map from rows that come from top to bottom.

    When the block ends without an error the files are completed and get their names, the class map
    last, so that who sees the map sees everything that belongs to it. Otherwise nothing is left
    behind, and what stood under these names before stays.

    Args:
        products: what to write.
        geobox: the grid of the map.
        classes: values, names and colours.
        tags: text by name, kept in the rasters.

    Yields:
        a function that appends rows; for one thread at a time.

    Raises:
        OutputError: if a file cannot be written.
    """
    with writing_into(products.class_map.parent), ExitStack() as stack:
        # What is entered first is published last.
        class_map = stack.enter_context(atomic_path(products.class_map))
        attributes = stack.enter_context(atomic_path(products.attributes))
        style = stack.enter_context(atomic_path(products.style))
        confidence = products.confidence and stack.enter_context(atomic_path(products.confidence))
        polygons = products.polygons and stack.enter_context(atomic_path(products.polygons))
        scratch = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(".partial", f".{class_map.stem}.", class_map.parent)
            )
        )
        areas = ClassAreas(geobox)
        rows = RowWriter(scratch / "map.tif", geobox, _class_style(classes, tags))
        percents = RowWriter(scratch / "confidence.tif", geobox, _percent_style(tags))

        def write(values: NDArray[np.uint8], percent: NDArray[np.uint8]) -> None:
            areas.add(values)
            rows.write(values)
            if confidence:
                percents.write(percent)

        with ExitStack() as writers:
            writers.enter_context(rows)
            if confidence:
                writers.enter_context(percents)
            yield write

        # GDAL takes the attribute table into the COG; the names stay beside it.
        beside = scratch / "map.tif.aux.xml"
        write_attributes(beside, classes, areas.pixels, areas.hectares)
        write_cog(rows.path, scratch / "cog.tif", "MODE", rows.crc32)
        (scratch / "cog.tif").replace(class_map)
        if confidence:
            write_cog(percents.path, confidence, "AVERAGE", percents.crc32)
        if polygons:
            write_polygons(class_map, polygons, classes, geobox)
        beside.replace(attributes)
        write_style(style, classes)


def _class_style(classes: ClassTable, tags: Mapping[str, str]) -> BandStyle:
    colors = {c.value: (*c.color, 255) for c in classes}
    return BandStyle(NODATA, "class", colors={**colors, NODATA: (0, 0, 0, 0)}, tags=tags)


def _percent_style(tags: Mapping[str, str]) -> BandStyle:
    return BandStyle(NODATA, "confidence", unit="percent", tags=tags)
