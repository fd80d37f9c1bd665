"""Names and colours of classes that a raster carries."""

import os
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import rasterio
from rasterio.errors import RasterioIOError
from rasterio.shutil import copy  # ty: ignore[import-not-found] - compiled

from sscl_geo.classes import ClassTable, LandCoverClass, default_color
from sscl_geo.errors import SceneError
from sscl_geo.io.attribute_table import attribute_table
from sscl_geo.io.qgis_style import style_beside
from sscl_geo.io.remap import number_or_text
from sscl_geo.io.remote import side_car_env


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
        repeated = {name for name, count in Counter(names.values()).items() if count > 1}
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
    """Read the names and colours that a raster's first band has of its values.

    Names are the category names, else those of the raster attribute table; colours those of the
    colour table, else of the attribute table. What is still missing comes from a QGIS style
    ``NAME.qml`` beside the file.

    Rasterio gives no access to category names, so GDAL is asked to describe the file as a VRT:
    this works for every format and for names kept in an ``.aux.xml``. Nothing is decoded.

    Args:
        path: any name that GDAL opens.

    Raises:
        SceneError: if the file cannot be opened.
    """
    try:
        with TemporaryDirectory() as folder, side_car_env(path):
            vrt = Path(folder) / "described.vrt"
            with rasterio.open(path) as source:
                copy(source, vrt, driver="VRT")
            document = vrt.read_text(encoding="utf-8")
    except RasterioIOError as error:
        raise SceneError(
            f"Cannot open {path} as a raster; give a file that gdalinfo can read ({error})."
        ) from error
    band = ET.fromstring(document).find("VRTRasterBand[@band='1']")  # noqa: S314 - GDAL wrote it
    bands = [b for b in (band, _band_beside(path)) if b is not None]
    found = [f for b in bands for f in (_own(b), Legend(*attribute_table(b)))]
    found.append(_styled(os.fspath(path)))
    return Legend(
        next((legend.names for legend in found if legend.names), {}),
        next((legend.colors for legend in found if legend.colors), {}),
    )


def _own(band: ET.Element) -> Legend:
    """Category names and colour table."""
    names = [(c.text or "").strip() for c in band.findall("CategoryNames/Category")]
    entries = [
        (int(e.get("c1", 0)), int(e.get("c2", 0)), int(e.get("c3", 0)))
        for e in band.findall("ColorTable/Entry")
    ]
    return Legend(
        names={i: name for i, name in enumerate(names) if name}, colors=dict(enumerate(entries))
    )


def _band_beside(path: str | os.PathLike[str]) -> ET.Element | None:
    """First band of a local ``.aux.xml``, which GDAL does not look for in all settings."""
    try:
        document = ET.parse(f"{os.fspath(path)}.aux.xml")  # noqa: S314 - expat limits entities
    except (OSError, ET.ParseError):
        return None
    return document.find("PAMRasterBand[@band='1']")


def _styled(path: str) -> Legend:
    """Names and colours of a style beside the file."""
    style = style_beside(path)
    keys = [] if style is None else [(number_or_text(c.values[0]), c) for c in style.classes]
    return Legend(
        names={k: c.label for k, c in keys if isinstance(k, int) and c.label},
        colors={k: c.color for k, c in keys if isinstance(k, int) and c.color is not None},
    )
