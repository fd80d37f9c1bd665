"""Finding the classes in the attribute table of a vector layer."""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sscl_geo.classes import IGNORE_INDEX, NODATA, ClassTable
from sscl_geo.errors import LabelError
from sscl_geo.io.legend import Legend

CLASS_COLUMNS = (
    "class", "label", "class_name", "classname", "category", "landcover", "land_cover", "name",
    "value", "class_id", "classid", "class_value", "code", "id",
)  # fmt: skip
"""Names of columns taken for the class when none is given, best first; case does not matter."""


@dataclass(frozen=True, eq=False)
class FeatureClasses:
    """Classes of the features of a layer.

    Attributes:
        column: name of the column they came from.
        classes: the class table.
        indices: class index of each feature, uint8; IGNORE_INDEX where it has none.
        is_named_only: True if there were names but no numbers, so that values were made up.
    """

    column: str
    classes: ClassTable
    indices: NDArray[np.uint8]
    is_named_only: bool

    @property
    def has_class(self) -> NDArray[np.bool_]:
        """True for features that have a class."""
        return self.indices != IGNORE_INDEX


def read_classes(
    frame: gpd.GeoDataFrame, path: str, classes: ClassTable | None, column: str | None
) -> FeatureClasses:
    """Read the class of each feature.

    Numbers are class values. Text gives names; their values come from a column of numbers that
    goes one to one with them (``id`` beside ``label``), or else are 1, 2, ... in alphabetical
    order. Names for a column of numbers are looked for in the same way.

    Args:
        frame: the layer.
        path: its file, for messages.
        classes: the classes to expect; made from the column if None.
        column: the class column; if None the only column there is, or the first of
            :data:`CLASS_COLUMNS` that is there.

    Raises:
        LabelError: if no column can be chosen, or one holds fractions, values outside 0 to 254, or
            a class outside ``classes``.
    """
    column = _choose_column(frame, path, column)
    own = _tidy(frame[column])
    if not own.notna().any():
        raise LabelError(
            f"Column {column!r} of {path} is empty in each of its {len(frame)} features; fill in "
            "the class of each, by name or value, in a GIS, or name another column."
        )
    if pd.api.types.is_numeric_dtype(own):
        keys: pd.Series = _whole(own, path, column)
        names = _partner(frame, column, keys, numeric=False)
        legend = Legend(names={int(v): str(n) for v, n in names.items()})
        table = classes or legend.table(keys.dropna())
        index_of: dict[Any, int] = {v: i for i, v in enumerate(table.values)}
        named_only = False
    else:
        keys = own
        values = _partner(frame, column, keys, numeric=True)
        named_only = not values
        if not values:
            values = {name: i for i, name in enumerate(sorted(keys.dropna().unique()), start=1)}
        legend = Legend(names={int(v): str(n) for n, v in values.items()})
        table = classes or legend.table(legend.names)
        index_of = {name: i for i, name in enumerate(table.names)}
    unknown = sorted(map(str, set(keys.dropna().unique()) - set(index_of)))
    if unknown:
        raise LabelError(
            f"Column {column!r} of {path} holds the class {unknown[0]!r}, which is not among "
            f"{', '.join(map(str, index_of))}; add it to the class table or correct the labels."
        )
    indices = keys.map(index_of).fillna(IGNORE_INDEX).to_numpy(dtype=np.uint8)
    return FeatureClasses(column, table, indices, named_only)


def _choose_column(frame: gpd.GeoDataFrame, path: str, column: str | None) -> str:
    columns = [str(c) for c in frame.columns if c != frame.geometry.name]
    listed = ", ".join(columns) or "none"
    if column is not None:
        if column not in columns:
            raise LabelError(f"{path} has no column {column!r}; it has {listed}: name one of them.")
        return column
    if len(columns) == 1:
        return columns[0]
    by_name = {c.lower(): c for c in reversed(columns)}
    for name in CLASS_COLUMNS:
        if name in by_name:
            return by_name[name]
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


def _whole(column: pd.Series, path: str, name: str) -> pd.Series:
    numbers = column.astype("Float64")
    given = numbers.dropna()
    bad = given[(given < 0) | (given >= NODATA) | (given != given.round())]
    if len(bad):
        raise LabelError(
            f"Column {name!r} of {path} holds {float(bad.iloc[0]):g}, which is no class value; use "
            f"whole numbers from 0 to {NODATA - 1}, or name another column."
        )
    return numbers.astype("Int64")


def _partner(
    frame: gpd.GeoDataFrame, column: str, keys: pd.Series, *, numeric: bool
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
        if numeric and not pairs["other"].between(0, NODATA - 1).all():
            continue
        if pairs["key"].is_unique and pairs["other"].is_unique:
            return dict(zip(pairs["key"], pairs["other"], strict=True))
    return {}
