"""Class tables as people have them: CSV, YAML, or a style of QGIS."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from sscl_geo.classes import (
    HIGHEST_VALUE,
    NODATA,
    ClassTable,
    LandCoverClass,
    default_color,
    map_dtype,
    nodata_of,
    parse_row,
)
from sscl_geo.errors import LabelError
from sscl_geo.io.qgis_style import QgisStyle, read_style
from sscl_geo.io.remap import Key, Remap, Target, number_or_text

type ClassSource = ClassTable | str | os.PathLike[str]


@dataclass(frozen=True)
class Classification:
    """Classes, and how a file that knows them by other values or names leads to them.

    Attributes:
        table: the classes; None to take those of the labels.
        remap: from values or texts of a style to classes; empty where these are the same.
        column: the column that a style of a vector layer draws by.
    """

    table: ClassTable | None = None
    remap: Remap = field(default_factory=Remap)
    column: str | None = None


def read_classification(source: ClassSource | None) -> Classification:
    """Take classes as they are given: a table, or a file of it.

    Args:
        source: a class table; a CSV file with the columns ``value``, ``name`` and, optionally,
            ``color``; a YAML or JSON file with the same as a list, or ``value: name``; or a QGIS
            style (``.qml``) of a paletted raster or a categorized vector layer.

    Raises:
        LabelError: if the file is missing or cannot be understood.
    """
    if source is None or isinstance(source, ClassTable):
        return Classification(source)
    suffix = Path(source).suffix.lower()
    if suffix == ".qml":
        return _from_style(read_style(source), os.fspath(source))
    if suffix in (".yaml", ".yml", ".json"):
        return Classification(_from_yaml(source))
    return Classification(ClassTable.from_csv(source))


def read_class_table(source: ClassSource) -> ClassTable:
    """Read a class table from a CSV, YAML, JSON or QML file; a table is returned as it is.

    Values and names that are texts in a style are numbered 1, 2, ... in the order of its legend.

    Args:
        source: as of :func:`read_classification`.

    Raises:
        LabelError: if the file is missing or cannot be understood.

    Example:
        >>> from sscl_geo.io.class_table import read_class_table
        >>> read_class_table("classes.yaml").names  # doctest: +SKIP
        ('water', 'forest')
    """
    table = read_classification(source).table
    assert table is not None  # noqa: S101 - only None gives None
    return table


def _from_yaml(path: str | os.PathLike[str]) -> ClassTable:
    from sscl_geo.io.yaml_file import read_yaml

    known = read_yaml(path, "class table")
    if isinstance(known, dict):
        known = [
            {**entry, "value": value}
            if isinstance(entry, dict)
            else {"value": value, "name": entry}
            for value, entry in known.items()
        ]
    if not isinstance(known, list) or not all(isinstance(row, dict) for row in known):
        raise LabelError(
            f"{path} is no class table; write lines such as '1: water', or a list of value, name "
            "and color."
        )
    return ClassTable(tuple(parse_row(path, i, _as_text(path, i, r)) for i, r in enumerate(known)))


def _as_text(path: object, i: int, row: dict[str, object]) -> dict[str, str | None]:
    color = row.get("color")
    if isinstance(color, list | tuple):
        whole = [c for c in color if isinstance(c, int) and 0 <= c <= 255]
        color = "".join(f"{c:02x}" for c in whole) if len(whole) == len(color) == 3 else str(color)
    elif "color" in row and not isinstance(color, str):
        raise LabelError(
            f"Row {i + 1} of {path} has no colour that can be read; put it in quotes in YAML, "
            'as in "#1f78b4".'
        )
    texts = {name: None if value is None else str(value) for name, value in row.items()}
    return texts | {"color": str(color) if color else None}


def _from_style(style: QgisStyle, path: str) -> Classification:
    """Classes of a style: values stay, merged ones become their lowest, texts are numbered."""
    sources: list[list[Key]] = [
        [key for value in c.values if (key := number_or_text(value)) is not None]
        for c in style.classes
    ]
    numbers = [[k for k in keys if isinstance(k, int)] for keys in sources]
    nodata = nodata_of(map_dtype(k for keys in numbers for k in keys))
    own = [
        min((k for k in keys if 0 <= k <= HIGHEST_VALUE and k != nodata), default=None)
        for keys in numbers
    ]
    free = iter(n for n in range(1, HIGHEST_VALUE) if n not in own and n != NODATA)
    values = [next(free) if value is None else value for value in own]
    labels = [c.label or f"class {v}" for c, v in zip(style.classes, values, strict=True)]
    names = [
        f"{name} ({value})" if labels.count(name) > 1 else name
        for name, value in zip(labels, values, strict=True)
    ]
    rules: dict[Key, Target] = {
        key: value
        for keys, value in zip(sources, values, strict=True)
        for key in keys
        if key != value
    }
    try:
        table = ClassTable(
            tuple(
                LandCoverClass(value, name, c.color or default_color(i))
                for i, (c, value, name) in enumerate(zip(style.classes, values, names, strict=True))
            )
        )
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from error
    return Classification(table, Remap(rules), style.column)
