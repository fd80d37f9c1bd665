"""Finding the classes in the attribute table of a vector layer."""

from dataclasses import dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sscl_geo.classes import HIGHEST_VALUE, ClassTable
from sscl_geo.errors import LabelError
from sscl_geo.io.class_table import Classification
from sscl_geo.io.qgis_style import Color, QgisStyle, hex_color
from sscl_geo.io.remap import Key, Remap, number_or_text
from sscl_geo.io.source_classes import UNKNOWN, SourceClass, assign_classes

CLASS_COLUMNS = (
    "class", "label", "class_name", "classname", "category", "landcover", "land_cover", "landuse",
    "land_use", "lulc", "type", "name", "value", "class_id", "classid", "class_value", "class_valu",
    "code", "id",
)  # fmt: skip
"""Names of columns taken for the class when none is given, best first; case does not matter."""

_FEW: Final = 8
"""Features that may each have a class of their own in a column that was not named."""

COLOR_COLUMNS = ("color", "colour", "hex", "hex_color")
"""Names of columns of colours such as ``#1f78b4``; case does not matter."""


@dataclass(frozen=True, eq=False)
class FeatureClasses:
    """Classes of the features of a layer.

    Attributes:
        column: name of the column they came from.
        classes: the class table.
        indices: class index of each feature, ``classes.index_dtype``; ``classes.ignore_index``
            where it has none.
        is_filled: True for features whose column says something, also where a rule drops it.
        is_named_only: True if a class has a name but no number, so that its value was made up.
    """

    column: str
    classes: ClassTable
    indices: NDArray[np.unsignedinteger]
    is_filled: NDArray[np.bool_]
    is_named_only: bool


def read_classes(
    frame: gpd.GeoDataFrame,
    path: str,
    wanted: Classification | None = None,
    column: str | None = None,
    remap: Remap | None = None,
    style: QgisStyle | None = None,
) -> FeatureClasses:
    """Read the class of each feature.

    Numbers are class values, also where they are written as text. Other text gives names; their
    values come from a column of numbers that goes one to one with them (``id`` beside ``label``),
    or else are 1, 2, ... in alphabetical order. Names for a column of numbers are looked for in the
    same way. Colours come from a column of them (:data:`COLOR_COLUMNS`); names and colours that the
    layer has not, from its style.

    Args:
        frame: the layer.
        path: its file, for messages.
        wanted: the classes to expect; made from the column if None.
        column: the class column; if None that of ``wanted``, the only column there is, the first of
            :data:`CLASS_COLUMNS` that is there, or that of the style. None is guessed that differs
            in each of many features.
        remap: rules that merge, rename or drop classes.
        style: how QGIS draws the layer.

    Raises:
        LabelError: if no column can be chosen, or one is empty, holds fractions, or holds a value
            that is no class value or a class outside ``wanted`` that no rule changes.
    """
    wanted, remap = wanted or Classification(), remap or Remap()
    styled = None if style is None else style.column
    column = _choose_column(frame, path, column, wanted.column, styled)
    keys = _keys(frame[column])
    distinct = sorted(keys.dropna().unique(), key=lambda key: (isinstance(key, str), key))
    if not distinct:
        raise LabelError(
            f"Column {column!r} of {path} is empty in each of its {len(frame)} features; fill in "
            "the class of each, by name or value, in a GIS, or name another column."
        )
    where = f"Column {column!r} of {path}"
    fraction = next((key for key in distinct if isinstance(key, float)), None)
    if fraction is not None:
        raise LabelError(
            f"{where} holds {fraction:g}, which is no class value; use whole numbers "
            f"from 0 to {HIGHEST_VALUE}, or name another column."
        )
    partner = _partner(frame, column, keys, limited=not remap.rules)
    colors = _colors(frame, keys)
    drawn = style if styled == column else None
    sources = [_source(key, partner.get(key), colors.get(key), drawn) for key in distinct]
    found = assign_classes(sources, wanted, remap, where)
    index_of = dict(zip(distinct, found.indices, strict=True))
    unknown = next((key for key in distinct if index_of[key] == UNKNOWN), None)
    if unknown is not None:
        known = [c.name if isinstance(unknown, str) else str(c.value) for c in found.classes]
        raise LabelError(
            f"{where} holds the class {str(unknown)!r}, which is not among {', '.join(known)}; add "
            "it to the class table, remap it, or correct the labels."
        )
    ignored, dtype = found.classes.ignore_index, found.classes.index_dtype
    indices = keys.map(index_of).fillna(ignored).to_numpy(dtype=dtype)
    return FeatureClasses(
        column, found.classes, indices, keys.notna().to_numpy(), found.is_named_only
    )


def _source(key: Key, partner: Any, color: Color | None, style: QgisStyle | None) -> SourceClass:
    """One distinct entry of the class column, with what stands beside it and in the style."""
    drawn = None if style is None else style.entry(key)
    label = drawn.label if drawn is not None and len(drawn.values) == 1 else ""
    color = color or (None if drawn is None else drawn.color)
    if isinstance(key, str):
        names = (key, *([label] if label else ()))
        return SourceClass(
            (*names, *(() if partner is None else (partner,))),
            partner,
            names[-1],
            color,
            is_text=True,
        )
    name = partner or label or None
    return SourceClass((key, *([name] if name else ())), key, name, color)


def _choose_column(
    frame: gpd.GeoDataFrame, path: str, column: str | None, wanted: str | None, styled: str | None
) -> str:
    columns = [str(c) for c in frame.columns if c != frame.geometry.name]
    listed = ", ".join(columns) or "none"
    if column is not None:
        if column not in columns:
            raise LabelError(f"{path} has no column {column!r}; it has {listed}: name one of them.")
        return column
    if wanted in columns:
        return wanted
    by_name = {c.lower(): c for c in reversed(columns)}
    usual = [by_name[name] for name in CLASS_COLUMNS if name in by_name]
    guesses = columns if len(columns) == 1 else usual
    running = [c for c in guesses if _is_running(frame[c])]
    guess = next((c for c in guesses if c not in running), None)
    if guess is not None:
        return guess
    if styled in columns:
        return styled
    why = f": {running[0]!r} differs in each of its {len(frame)} features" if running else ""
    raise LabelError(
        f"It is not clear which column of {path} holds the class{why}; name one of {listed}."
    )


def _is_running(column: pd.Series) -> bool:
    """Whether each of many features has an entry of its own, as in a running number."""
    entries = column.dropna().astype(str)
    return len(entries) > _FEW and entries.is_unique


def _keys(column: pd.Series) -> pd.Series:
    """What rules call each entry, a number or a text; a fraction as it is, None for nothing."""
    typed = column.convert_dtypes()
    if pd.api.types.is_bool_dtype(typed):
        typed = typed.astype("Int64")
    elif not pd.api.types.is_numeric_dtype(typed):
        typed = typed.astype("string")
    key_of: dict[Any, Key | float | None] = {}
    for entry in typed.dropna().unique():
        key = number_or_text(entry)
        key_of[entry] = float(entry) if key is None and not isinstance(entry, str) else key
    return pd.Series([key_of.get(entry) for entry in typed], column.index, dtype=object)


def _partner(
    frame: gpd.GeoDataFrame, column: str, keys: pd.Series, *, limited: bool
) -> dict[Any, Any]:
    """Map keys to the entries of a column that goes one to one with them; empty if there is none.

    Texts go with numbers, and numbers with texts. Only columns named like a class are looked at: a
    running number or an area may go one to one with the classes by chance.
    """
    kinds = {type(key) for key in keys.dropna()}
    if len(kinds) > 1:
        return {}  # no column holds the values of some and the names of others
    wanted = int if kinds == {str} else str
    columns = {str(c).lower(): str(c) for c in frame.columns if c != frame.geometry.name}
    for name in CLASS_COLUMNS:
        if columns.get(name, column) == column:
            continue
        pairs = pd.DataFrame({"key": keys, "other": _keys(frame[columns[name]])})
        pairs = pairs.dropna(subset="key").drop_duplicates()
        if not all(isinstance(other, wanted) for other in pairs["other"]):
            continue
        if wanted is int and limited and not pairs["other"].between(0, HIGHEST_VALUE).all():
            continue
        if pairs["key"].is_unique and pairs["other"].is_unique:
            return dict(zip(pairs["key"], pairs["other"], strict=True))
    return {}


def _colors(frame: gpd.GeoDataFrame, keys: pd.Series) -> dict[Any, Color]:
    """Colour of each key, from a column where each has one alone."""
    columns = {str(c).lower(): str(c) for c in frame.columns}
    column = next((columns[name] for name in COLOR_COLUMNS if name in columns), None)
    if column is None:
        return {}
    pairs = pd.DataFrame({"key": keys, "color": frame[column]}).dropna().drop_duplicates()
    if not pairs["key"].is_unique:
        return {}
    read = zip(pairs["key"], pairs["color"].map(hex_color), strict=True)
    return {key: color for key, color in read if color is not None}
