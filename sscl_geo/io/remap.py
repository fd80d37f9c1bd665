"""From the classes that labels have to the classes that are wanted."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sscl_geo.classes import HIGHEST_VALUE, NODATA, nodata_of
from sscl_geo.errors import LabelError
from sscl_geo.io.csv_file import read_csv

REST: Final = "*"
"""Source that stands for all that are not named."""

IGNORE: Final = "ignore"
"""Target of what shall carry no label; None, 255, 65535 and nothing at all mean the same."""

_NO_LABEL: Final = (NODATA, nodata_of("uint16"))
"""Values that carry no label, in rasters of 8 and of 16 bits."""

_NUMBER: Final = re.compile(r"([+-]?[0-9]{1,18})(\.0*)?")
"""Texts that are whole numbers; longer ones would not fit 64 bits, and are likely to be names."""

type Key = int | str
type Target = int | str | None


@dataclass(frozen=True)
class Remap:
    """Merges, renames and drops source classes.

    Attributes:
        rules: source -> class. A source is a value or a name in the labels, or ``"*"`` for all that
            no other rule names; a class is a value (0 to 65534 without 255), a name, or None for
            no label. Sources without a rule keep their class.

    Raises:
        LabelError: if a source or a class is neither a whole number nor text, or out of range.

    Example:
        >>> from sscl_geo.io.remap import Remap
        >>> remap = Remap({41: "forest", "42": "forest", "shadow": None, "*": "ignore"})
        >>> remap.rule_for([42]), remap.rule_for([11, "open water"])
        (42, '*')
        >>> remap.rules[42], remap.rules["*"]
        ('forest', None)
    """

    rules: Mapping[Key, Target] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rules = {_key(key): _target(target) for key, target in self.rules.items()}
        if len(rules) < len(self.rules):
            raise LabelError("The remap names a source twice; give each one a single class.")
        object.__setattr__(self, "rules", rules)

    def rule_for(self, keys: Iterable[Key]) -> Key | None:
        """The rule that a source falls under, None if it keeps its class.

        Args:
            keys: what the source is known by, its value and its names, the first match counts.
        """
        named = next((key for key in keys if key in self.rules and key != REST), None)
        return REST if named is None and REST in self.rules else named

    @property
    def values(self) -> tuple[int, ...]:
        """Sources that are values, ascending."""
        return tuple(sorted(key for key in self.rules if isinstance(key, int)))

    @property
    def names(self) -> tuple[str, ...]:
        """Sources that are names."""
        return tuple(key for key in self.rules if isinstance(key, str) and key != REST)


def read_remap(source: "Remap | Mapping[Key, Target] | str | os.PathLike[str] | None") -> Remap:
    """Take a remap as it is given: a mapping, or a file of it.

    Args:
        source: rules; a YAML or JSON file of them (``41: forest``); or a CSV file with the columns
            ``source`` and ``class``. None changes nothing.

    Raises:
        LabelError: if the file is missing or cannot be understood.
    """
    if isinstance(source, Remap):
        return source
    if source is None or isinstance(source, Mapping):
        return Remap(source or {})
    rules = _from_csv(source) if Path(source).suffix.lower() == ".csv" else _from_yaml(source)
    try:
        return Remap(rules)
    except LabelError as error:
        raise LabelError(f"{source}: {error}") from error


def _from_yaml(path: str | os.PathLike[str]) -> dict[Key, Target]:
    from sscl_geo.io.yaml_file import read_yaml

    rules = read_yaml(path, "remap")
    if not isinstance(rules, dict) or not rules:
        raise LabelError(f"{path} is no remap; write lines such as '41: forest' or '12: ignore'.")
    return rules


def _from_csv(path: str | os.PathLike[str]) -> dict[Key, Target]:
    rows = read_csv(path, "remap", ("source", "class"))
    sources = [row["source"] for row in rows]
    twice = {source for source in sources if sources.count(source) > 1}
    if twice:
        raise LabelError(f"{path} names the source {min(twice)!r} twice; leave one row.")
    return {row["source"]: row["class"] or None for row in rows}


def number_or_text(value: object) -> Key | None:
    """A whole number as int, also where it is written as text or float; else stripped text.

    This is the one rule of what a number is, in remaps, columns, styles and legends: ``7``, ``-1``,
    ``007`` and ``1.0`` are, ``1.5``, ``1e3``, ``1_000`` and digits of other scripts are text.

    Returns:
        the number or the text; None for what is neither, and for empty text.
    """
    if isinstance(value, str):
        text = value.strip()
        number = _NUMBER.fullmatch(text)
        return int(number[1]) if number else text or None
    if isinstance(value, bool):
        return None
    try:
        whole = int(value)  # ty: ignore[invalid-argument-type] - whatever a file may hold
    except (TypeError, ValueError, OverflowError):
        return None
    return whole if whole == value else None


def _key(key: object) -> Key:
    known = number_or_text(key)
    if known is None:
        raise LabelError(
            f"The remap has the source {key!r}, which is neither a whole number nor a name; "
            "correct it, and quote names such as 'yes' and 'no' in YAML."
        )
    return known


def _target(target: object) -> Target:
    if target is None or (isinstance(target, str) and not target.strip()):
        return None
    known = number_or_text(target)
    if known is None or (isinstance(known, int) and not 0 <= known <= _NO_LABEL[1]):
        raise LabelError(
            f"The remap leads to the class {target!r}; give a value from 0 to {HIGHEST_VALUE}, a "
            f"name, or '{IGNORE}'."
        )
    ignored = known in _NO_LABEL or (isinstance(known, str) and known.casefold() == IGNORE)
    return None if ignored else known
