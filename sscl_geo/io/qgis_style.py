"""Classes as QGIS styles them: values, labels and colours from a QML."""

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sscl_geo.errors import LabelError
from sscl_geo.io.remap import Key, number_or_text
from sscl_geo.io.text_file import read_text

type Color = tuple[int, int, int]


@dataclass(frozen=True)
class StyleClass:
    """One entry of a legend.

    Attributes:
        values: the values drawn alike, as text; several where categories were merged in QGIS.
        label: what the legend shows; empty if it only repeats the value.
        color: red, green, blue, or None where a symbol has no plain colour.
    """

    values: tuple[str, ...]
    label: str
    color: Color | None


@dataclass(frozen=True)
class QgisStyle:
    """What a style says about classes.

    Attributes:
        column: the column that categories are drawn by; None for rasters.
        classes: the entries in the order of the legend; that for all other values is left out.
    """

    column: str | None
    classes: tuple[StyleClass, ...]

    def entry(self, key: Key) -> StyleClass | None:
        """The entry of a number or text, None if the style has none for it."""
        return next((c for c in self.classes if key in map(number_or_text, c.values)), None)


def read_style(path: str | os.PathLike[str]) -> QgisStyle:
    """Read a style saved by QGIS: a paletted raster or a categorized vector layer.

    Args:
        path: a ``.qml`` file.

    Raises:
        LabelError: if the file is missing, no QML, or draws no classes.
    """
    return parse_style(read_text(path, "style"), os.fspath(path))


def parse_style(document: str, name: str) -> QgisStyle:
    """Read a style from its text.

    Args:
        document: the QML.
        name: where it stands, for messages.

    Raises:
        LabelError: as :func:`read_style` does.
    """
    try:
        root = ET.fromstring(document)  # noqa: S314 - expat limits entities
    except ET.ParseError as error:
        raise LabelError(f"{name} is no QML; save the style in QGIS again ({error}).") from error
    paletted = root.find(".//rasterrenderer[@type='paletted']")
    categorized = root.find(".//renderer-v2[@type='categorizedSymbol']")
    column = None
    if paletted is not None:
        entries = _palette(paletted)
    elif categorized is not None:
        column = categorized.get("attr", "").strip('"') or None
        entries = _categories(categorized)
    else:
        entries = ()
    if not entries:
        raise LabelError(
            f"The style {name} draws no classes; in QGIS choose 'Paletted/Unique values' for a "
            "raster or 'Categorized' for a vector layer, and save it again."
        )
    return QgisStyle(column, entries)


def style_beside(path: str, layers: Sequence[str] = ()) -> QgisStyle | None:
    """The style that QGIS itself would load with a file.

    That is ``NAME.qml`` beside it or, of a GeoPackage, the default style saved in it. One that
    draws no classes counts as none.

    Args:
        path: a raster or vector file.
        layers: layers of a GeoPackage whose styles count.
    """
    found = []
    beside = Path(path).parent / f"{Path(path).stem}.qml"
    documents = (
        [beside.read_text(encoding="utf-8-sig", errors="replace")] if _is_file(beside) else []
    )
    if path.lower().endswith(".gpkg"):
        documents += _saved_styles(path, layers)
    for document in documents:
        try:
            found.append(parse_style(document, os.fspath(beside)))
        except LabelError:
            continue
    if not found:
        return None
    return QgisStyle(found[0].column, tuple(c for style in found for c in style.classes))


def hex_color(text: object) -> Color | None:
    """Red, green and blue of ``#rrggbb``, also with alpha behind; None for anything else."""
    try:
        red, green, blue = bytes.fromhex(str(text).strip().removeprefix("#"))[:3]
    except ValueError:
        return None
    return red, green, blue


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # names of virtual file systems may be too long for a file
        return False


def _saved_styles(path: str, layers: Sequence[str]) -> list[str]:
    """Default styles of layers, from the table that QGIS keeps in a GeoPackage."""
    import pyogrio

    if "layer_styles" not in {str(name) for name, _ in pyogrio.list_layers(path)}:
        return []
    table = pyogrio.read_dataframe(path, layer="layer_styles", read_geometry=False)
    if not {"f_table_name", "styleQML"} <= set(table.columns):
        return []
    if "useAsDefault" in table.columns:
        table = table.sort_values("useAsDefault", ascending=False, kind="stable")
    of_layer: dict[object, object] = {}
    for layer, document in zip(table["f_table_name"], table["styleQML"], strict=True):
        of_layer.setdefault(layer, document)
    return [str(of_layer[layer]) for layer in layers if isinstance(of_layer.get(layer), str)]


def _palette(renderer: ET.Element) -> tuple[StyleClass, ...]:
    entries = renderer.findall("colorPalette/paletteEntry")
    return tuple(
        _entry((e.get("value", ""),), e.get("label", ""), hex_color(e.get("color", "")))
        for e in entries
        if e.get("value")
    )


def _categories(renderer: ET.Element) -> tuple[StyleClass, ...]:
    symbols = {s.get("name"): s for s in renderer.findall("symbols/symbol")}
    found = []
    for category in renderer.findall("categories/category"):
        listed = [v.get("value", "") for v in category.iter("val")]
        values = tuple(v for v in listed or [category.get("value", "")] if v)
        if values:  # the entry without a value stands for all others
            color = _symbol_color(symbols.get(category.get("symbol")))
            found.append(_entry(values, category.get("label", ""), color))
    return tuple(found)


def _entry(values: Iterable[str], label: str, color: Color | None) -> StyleClass:
    values, label = tuple(v.strip() for v in values), label.strip()
    if label in ("", *values, ", ".join(values), "; ".join(values)):
        label = "" if values[0].lstrip("-").replace(".", "").isdigit() else values[0]
    return StyleClass(values, label, color)


def _symbol_color(symbol: ET.Element | None) -> Color | None:
    """Colour of the lowest layer of a symbol; QGIS before 3.26 writes 'prop', later 'Option'."""
    layer = None if symbol is None else symbol.find("layer")
    if layer is None:
        return None
    # Not those further down, which are of effects and of the symbols that a pattern is made of.
    options = {o.get("name"): o.get("value", "") for o in layer.findall("Option/Option")}
    options |= {p.get("k"): p.get("v", "") for p in layer.findall("prop")}
    for name in ("color", "line_color"):
        numbers = options.get(name, "").split(",")[:3]
        if len(numbers) == 3 and all(n.strip().isdigit() for n in numbers):
            red, green, blue = (min(int(n), 255) for n in numbers)
            return red, green, blue
    return None
