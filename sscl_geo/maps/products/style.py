"""The style file that makes QGIS draw a map with the names and colours of its classes."""

from pathlib import Path
from xml.etree import ElementTree as ET

from sscl_geo.classes import ClassTable
from sscl_geo.maps.products.markup import child, write_xml

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"


def write_style(path: Path, classes: ClassTable) -> None:
    """Write a QGIS style with a paletted renderer, the legend in the order of the class table.

    QGIS loads ``NAME.qml`` beside ``NAME.tif`` by default; it is the only one of its ways to a
    legend that keeps the order of the classes.

    Args:
        path: file to write.
        classes: values, names and colours.
    """
    root = ET.Element("qgis", version="3.28.0", styleCategories="Symbology")
    pipe = child(root, "pipe")
    renderer = child(
        pipe, "rasterrenderer", type="paletted", band=1, opacity=1, alphaBand=-1, nodataColor=""
    )
    child(renderer, "rasterTransparency")
    palette = child(renderer, "colorPalette")
    for c in classes:
        child(palette, "paletteEntry", value=c.value, label=c.name, color=c.hex_color, alpha=255)
    child(pipe, "brightnesscontrast", brightness=0, contrast=0, gamma=1)
    child(pipe, "huesaturation", saturation=0, grayscaleMode=0, colorizeOn=0)
    child(pipe, "rasterresampler", maxOversampling=2)
    child(root, "blendMode", 0)
    write_xml(root, path, _DOCTYPE)
