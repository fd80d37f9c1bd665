"""Names and colours of classes that a raster carries."""

import os
import secrets
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, field

import rasterio
from rasterio.errors import RasterioIOError
from rasterio.shutil import copy, delete, exists  # ty: ignore[import-not-found] - compiled

from sscl_geo.classes import NODATA, ClassTable, LandCoverClass, default_color
from sscl_geo.errors import SceneError


@dataclass(frozen=True)
class Legend:
    """What a raster says about its values; either part may be empty.

    Attributes:
        names: name by pixel value, from the file's category names.
        colors: (red, green, blue) by pixel value, from its colour table.
    """

    names: dict[int, str] = field(default_factory=dict)
    colors: dict[int, tuple[int, int, int]] = field(default_factory=dict)

    def table(self, values: Iterable[int]) -> ClassTable:
        """Class table for some values, with this legend's names and colours where it has them."""
        ordered = sorted({int(v) for v in values})
        names = {v: self.names.get(v, f"class {v}") for v in ordered}
        repeated = {n for n in names.values() if list(names.values()).count(n) > 1}
        return ClassTable(
            tuple(
                LandCoverClass(
                    value,
                    f"{name} ({value})" if name in repeated else name,
                    self.colors.get(value) or default_color(i),
                )
                for i, (value, name) in enumerate(names.items())
            )
        )


def read_legend(path: str | os.PathLike[str]) -> Legend:
    """Read the category names and the colour table of a raster's first band.

    Rasterio gives no access to category names, so GDAL is asked to describe the file as a VRT in
    memory: this works for every format and for names kept in an ``.aux.xml``. Nothing is decoded.

    Args:
        path: any name that GDAL opens.

    Raises:
        SceneError: if the file cannot be opened.
    """
    vrt = f"/vsimem/{secrets.token_hex(8)}.vrt"
    try:
        with rasterio.open(path) as source:
            copy(source, vrt, driver="VRT")
        with rasterio.open(vrt) as described:
            document = described.tags(ns="xml:VRT")["xml:VRT"]
    except RasterioIOError as error:
        raise SceneError(
            f"Cannot open {path} as a raster; give a file that gdalinfo can read ({error})."
        ) from error
    finally:
        if exists(vrt):
            delete(vrt, driver="VRT")
    band = ET.fromstring(document).find("VRTRasterBand[@band='1']")  # noqa: S314 - GDAL wrote it
    if band is None:
        return Legend()
    names = _category_names(band) or _names_beside(path)
    entries = [
        (int(e.get("c1", 0)), int(e.get("c2", 0)), int(e.get("c3", 0)))
        for e in band.findall("ColorTable/Entry")
    ]
    return Legend(
        names={i: name for i, name in enumerate(names[:NODATA]) if name},
        colors=dict(enumerate(entries[:NODATA])),
    )


def _category_names(band: ET.Element) -> list[str]:
    return [(c.text or "").strip() for c in band.findall("CategoryNames/Category")]


def _names_beside(path: str | os.PathLike[str]) -> list[str]:
    """Category names in a local ``.aux.xml``, which GDAL does not look for in all settings."""
    try:
        document = ET.parse(f"{os.fspath(path)}.aux.xml")  # noqa: S314 - expat limits entities
    except (OSError, ET.ParseError):
        return []
    band = document.find("PAMRasterBand[@band='1']")
    return [] if band is None else _category_names(band)
