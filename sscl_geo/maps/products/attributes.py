"""Category names and the raster attribute table of a map."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from sscl_geo.classes import ClassTable
from sscl_geo.maps.products.markup import child, write_xml


class _Type(IntEnum):
    """GDAL's GDALRATFieldType."""

    INTEGER = 0
    REAL = 1
    STRING = 2


class _Usage(IntEnum):
    """GDAL's GDALRATFieldUsage: what a column of the table means."""

    GENERIC = 0
    PIXEL_COUNT = 1
    NAME = 2
    MIN_MAX = 5
    RED = 6
    GREEN = 7
    BLUE = 8


@dataclass(frozen=True)
class _Column:
    name: str
    type: _Type
    usage: _Usage
    cells: Sequence[object]


_THEMATIC: Final = "thematic"


def write_attributes(
    path: Path, classes: ClassTable, pixels: NDArray[np.int64], hectares: NDArray[np.float64]
) -> None:
    """Write the auxiliary file of a map: category names and raster attribute table.

    GDAL and QGIS read ``NAME.tif.aux.xml`` beside ``NAME.tif`` (GDAL's Persistent Auxiliary
    Metadata). Category names are listed by pixel value from 0, those of unused values empty. The
    table has one row for each class: Value, Class, Red, Green, Blue, Count (pixels) and Area_ha
    (ground area in hectares).

    Args:
        path: file to write.
        classes: values, names and colours.
        pixels: number of pixels of each pixel value, int64 of shape (values,).
        hectares: ground area of each pixel value, float64 of shape (values,); the column is left
            out where it is not finite.
    """
    root = ET.Element("PAMDataset")
    band = child(root, "PAMRasterBand", band=1)
    names = child(band, "CategoryNames")
    by_value = {c.value: c.name for c in classes}
    for value in range(max(by_value) + 1):
        child(names, "Category", by_value.get(value, ""))
    table = child(band, "GDALRasterAttributeTable", tableType=_THEMATIC)
    columns = list(_columns(classes, pixels, hectares))
    for index, column in enumerate(columns):
        field = child(table, "FieldDefn", index=index)
        child(field, "Name", column.name)
        child(field, "Type", column.type.value, typeAsString=column.type.name.title())
        child(field, "Usage", column.usage.value)
    for index in range(len(classes)):
        row = child(table, "Row", index=index)
        for column in columns:
            child(row, "F", column.cells[index])
    write_xml(root, path)


def _columns(
    classes: ClassTable, pixels: NDArray[np.int64], hectares: NDArray[np.float64]
) -> Iterable[_Column]:
    values = list(classes.values)
    yield _Column("Value", _Type.INTEGER, _Usage.MIN_MAX, values)
    yield _Column("Class", _Type.STRING, _Usage.NAME, classes.names)
    for i, usage in enumerate((_Usage.RED, _Usage.GREEN, _Usage.BLUE)):
        yield _Column(usage.name.title(), _Type.INTEGER, usage, [c.color[i] for c in classes])
    yield _Column("Count", _Type.INTEGER, _Usage.PIXEL_COUNT, pixels[values].tolist())
    if np.isfinite(hectares[values]).all():
        cells = [f"{area:.6f}" for area in hectares[values]]
        yield _Column("Area_ha", _Type.REAL, _Usage.GENERIC, cells)


def read_order(path: Path) -> tuple[int, ...]:
    """Class values in the order of the attribute table of an auxiliary file.

    Args:
        path: an ``.aux.xml``.

    Returns:
        the values; none if there is no file or no such table in it.
    """
    try:
        table = ET.parse(path).find("PAMRasterBand[@band='1']/GDALRasterAttributeTable")  # noqa: S314 - expat limits entities
        if table is None:
            return ()
        usages = [field.findtext("Usage") for field in table.findall("FieldDefn")]
        column = usages.index(str(_Usage.MIN_MAX.value))
        return tuple(int(row.findall("F")[column].text or "") for row in table.findall("Row"))
    except (OSError, ET.ParseError, ValueError, IndexError):
        return ()  # of the order alone: names and colours are read through GDAL
