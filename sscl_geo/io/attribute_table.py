"""Names and colours in a raster attribute table, as ArcGIS, ERDAS and GDAL keep them."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from sscl_geo.io.remap import number_or_text

_VALUE, _NAME, _COLOR = 5, 2, (6, 7, 8)
"""GDAL's usages of columns (GDALRATFieldUsage)."""

_NAMES = ("class_name", "classname", "class", "label", "name", "landcover", "land_cover")


def attribute_table(band: ET.Element) -> tuple[dict[int, str], dict[int, tuple[int, int, int]]]:
    """Read names and colours by value from the attribute table of a band.

    Args:
        band: the band, as GDAL describes it in a VRT or an ``.aux.xml``.

    Returns:
        name by value and (red, green, blue) by value; empty where there is none.
    """
    table = band.find("GDALRasterAttributeTable")
    if table is None:
        return {}, {}
    fields = table.findall("FieldDefn")
    usages = [f.findtext("Usage") for f in fields]
    titles = [(f.findtext("Name") or "").lower() for f in fields]
    value = _column(usages, titles, _VALUE, ("value",))
    name = _column(usages, titles, _NAME, _NAMES)
    rgb = [
        _column(usages, titles, usage, (title,))
        for usage, title in zip(_COLOR, ("red", "green", "blue"), strict=True)
    ]
    names: dict[int, str] = {}
    colors: dict[int, tuple[int, int, int]] = {}
    for row in table.findall("Row"):
        cells = [(f.text or "").strip() for f in row.findall("F")]
        key = None if value is None or len(cells) < len(fields) else number_or_text(cells[value])
        if not isinstance(key, int):
            continue
        if name is not None and cells[name]:
            names[key] = cells[name]
        levels = [number_or_text(cells[c]) for c in rgb if c is not None]
        whole = [level for level in levels if isinstance(level, int) and 0 <= level <= 255]
        if len(whole) == 3:
            colors[key] = (whole[0], whole[1], whole[2])
    return names, colors


def _column(
    usages: Sequence[str | None], titles: Sequence[str], usage: int, names: Sequence[str]
) -> int | None:
    """Number of a column by its usage, else by its name."""
    if str(usage) in usages:
        return usages.index(str(usage))
    return next((titles.index(name) for name in names if name in titles), None)
