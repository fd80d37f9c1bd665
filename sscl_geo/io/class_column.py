"""Finding the classes in the attribute table of a vector layer."""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sscl_geo.classes import HIGHEST_VALUE, ClassTable
from sscl_geo.errors import LabelError
from sscl_geo.io.class_table import Classification
from sscl_geo.io.qgis_style import Color, QgisStyle, hex_color
from sscl_geo.io.remap import Remap
from sscl_geo.io.source_classes import UNKNOWN, SourceClass, assign_classes

CLASS_COLUMNS = (
    "class", "label", "class_name", "classname", "category", "landcover", "land_cover", "name",
    "value", "class_id", "classid", "class_value", "code", "id",
)  # fmt: skip
"""Names of columns taken for the class when none is given, best first; case does not matter."""

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

    Numbers are class values. Text gives names; their values come from a column of numbers that
    goes one to one with them (``id`` beside ``label``), or else are 1, 2, ... in alphabetical
    order. Names for a column of numbers are looked for in the same way. Colours come from a column
    of them (:data:`COLOR_COLUMNS`); names and colours that the layer has not, from its style.

    Args:
        frame: the layer.
        path: its file, for messages.
        wanted: the classes to expect; made from the column if None.
        column: the class column; if None that of ``wanted``, the only column there is, the first of
            :data:`CLASS_COLUMNS` that is there, or that of the style.
        remap: rules that merge, rename or drop classes.
        style: how QGIS draws the layer.

    Raises:
        LabelError: if no column can be chosen, or one is empty, holds fractions, or holds a value
            that is no class value or a class outside ``wanted`` that no rule changes.
    """
    wanted, remap = wanted or Classification(), remap or Remap()
    styled = None if style is None else style.column
    column = _choose_column(frame, path, column, wanted.column, styled)
    own = _tidy(frame[column])
    if not own.notna().any():
        raise LabelError(
            f"Column {column!r} of {path} is empty in each of its {len(frame)} features; fill in "
            "the class of each, by name or value, in a GIS, or name another column."
        )
    where = f"Column {column!r} of {path}"
    is_text = not pd.api.types.is_numeric_dtype(own)
    keys: pd.Series = own if is_text else _whole(own, where)
    partner = _partner(frame, column, keys, numeric=is_text, limited=not remap.rules)
    colors = _colors(frame, keys)
    distinct = sorted(keys.dropna().unique())
    drawn = style if styled == column else None
    sources = [_source(key, partner.get(key), colors.get(key), drawn) for key in distinct]
    found = assign_classes(sources, wanted, remap, where)
    index_of = dict(zip(distinct, found.indices, strict=True))
    unknown = [key for key in distinct if index_of[key] == UNKNOWN]
    if unknown:
        known = [c.name if is_text else str(c.value) for c in found.classes]
        raise LabelError(
            f"{where} holds the class {str(unknown[0])!r}, which is not among "
            f"{', '.join(known)}; add it to the class table, remap it, or correct the "
            "labels."
        )
    ignored, dtype = found.classes.ignore_index, found.classes.index_dtype
    indices = keys.map(index_of).fillna(ignored).to_numpy(dtype=dtype)
    return FeatureClasses(
        column, found.classes, indices, keys.notna().to_numpy(), found.is_named_only
    )


def _source(key: Any, partner: Any, color: Color | None, style: QgisStyle | None) -> SourceClass:
    """One distinct entry of the class column, with what stands beside it and in the style."""
    drawn = None if style is None else style.entry(key)
    label = drawn.label if drawn is not None and len(drawn.values) == 1 else ""
    color = color or (None if drawn is None else drawn.color)
    if isinstance(key, str):
        value = None if partner is None else int(partner)
        names = (key, *([label] if label else ()))
        return SourceClass(
            (*names, *(() if value is None else (value,))), value, names[-1], color, is_text=True
        )
    name = label or None if partner is None else str(partner)
    return SourceClass((int(key), *([name] if name else ())), int(key), name, color)


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
    if len(columns) == 1:
        return columns[0]
    by_name = {c.lower(): c for c in reversed(columns)}
    for name in CLASS_COLUMNS:
        if name in by_name:
            return by_name[name]
    if styled in columns:
        return styled
    raise LabelError(
        f"It is not clear which column of {path} holds the class; name one of {listed}."
    )


def _tidy(column: pd.Series) -> pd.Series:
    """Numbers as numbers, also where they were written as text; anything else as stripped text."""
    if pd.api.types.is_bool_dtype(column):
        return column.astype("Int64")
    if pd.api.types.is_numeric_dtype(column):
        return column
    text = column.astype("string").str.strip()
    text = text.mask(text == "")
    if text.notna().any() and text.dropna().str.fullmatch(r"\d+").all():
        return pd.to_numeric(text)
    return text.astype(object).where(text.notna(), None)


def _whole(column: pd.Series, where: str) -> pd.Series:
    numbers = column.astype("Float64")
    given = numbers.dropna()
    bad = given[given != given.round()]
    if len(bad):
        raise LabelError(
            f"{where} holds {float(bad.iloc[0]):g}, which is no class value; use whole numbers "
            f"from 0 to {HIGHEST_VALUE}, or name another column."
        )
    return numbers.astype("Int64")


def _partner(
    frame: gpd.GeoDataFrame, column: str, keys: pd.Series, *, numeric: bool, limited: bool
) -> dict[Any, Any]:
    """Map keys to the entries of a column that goes one to one with them; empty if there is none.

    Only columns named like a class are looked at: a running number or an area may go one to one
    with the classes by chance.
    """
    columns = {str(c).lower(): str(c) for c in frame.columns if c != frame.geometry.name}
    for name in CLASS_COLUMNS:
        if columns.get(name, column) == column:
            continue
        other = _tidy(frame[columns[name]])
        if pd.api.types.is_numeric_dtype(other) != numeric:
            continue
        pairs = pd.DataFrame({"key": keys, "other": other}).dropna(subset="key").drop_duplicates()
        if pairs["other"].isna().any() or not len(pairs):
            continue
        if numeric and (pairs["other"] % 1 != 0).any():
            continue
        if numeric and limited and not pairs["other"].between(0, HIGHEST_VALUE).all():
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
