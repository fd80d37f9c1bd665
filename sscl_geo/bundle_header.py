"""Checked values from a bundle's header, which anybody may have written.

Every function raises ``ValueError`` or ``TypeError`` with a few words; :mod:`sscl_geo.bundle` makes
the sentence. Nothing in a header may name a file, a server or code.
"""

import json
import math
import re
import reprlib
from typing import Any

from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.decision import Decision
from sscl_geo.io.units import BandUnits

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_NUMBER_TYPES = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)} | {
    f"float{bits}" for bits in (16, 32, 64)
}
_MOST_BANDS = 4096
_LARGEST_PATCH = 65_536


def parse_json(document: str) -> dict[str, Any]:
    """Parse a JSON record in which no key stands twice and every number is finite.

    Python's parser keeps the last of two equal keys, others the first: such a file could show one
    thing to a person and another to a program.
    """
    try:
        found = json.loads(document, object_pairs_hook=_distinct, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("its header is nested too deeply") from error
    if not isinstance(found, dict):
        raise TypeError(f"{reprlib.repr(found)} is not a record")
    return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key of its header stands twice")
    return record


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


def text(value: object) -> str:
    """Any text that can be written as UTF-8."""
    if not isinstance(value, str):
        raise TypeError(f"{reprlib.repr(value)} is not text")
    value.encode()  # half a surrogate pair cannot be shown, nor written into any file
    return value


def name(value: object) -> str:
    """Name of a part of the network: letters, digits and ``_ . + -``.

    Encoders are looked up by name, and some libraries take names such as ``hf-hub:owner/model`` for
    an order to download.
    """
    if not _NAME.fullmatch(text(value)) or ".." in text(value):
        raise ValueError(f"{reprlib.repr(value)} is not the name of an architecture")
    return text(value)


def number_type(value: object) -> str:
    """Numpy's name of a pixel type."""
    if text(value) not in _NUMBER_TYPES:
        raise ValueError(f"{reprlib.repr(value)} is not a pixel type")
    return text(value)


def whole(value: object) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{reprlib.repr(value)} is not a whole number")
    return value


def patch_size(value: object) -> int:
    """Side of a patch in pixels."""
    if not 0 < whole(value) <= _LARGEST_PATCH:
        raise ValueError(f"{reprlib.repr(value)} is not the size of a patch")
    return whole(value)


def items(value: object) -> list[object]:
    """A list of anything."""
    if not isinstance(value, list):
        raise TypeError(f"{reprlib.repr(value)} is not a list")
    return value


def bands(value: object) -> tuple[str, ...]:
    """Names of bands, at least one."""
    found = tuple(text(item) for item in items(value))
    if not 0 < len(found) <= _MOST_BANDS:
        raise ValueError(f"{len(found)} is not a number of bands")
    return found


def numbers(value: object) -> tuple[float, ...]:
    """Finite numbers."""
    return tuple(_number(item) for item in items(value))


def positive_numbers(value: object, *, zero: bool = False) -> tuple[float, ...]:
    """Finite numbers above 0, or from 0 where ``zero`` is set."""
    found = numbers(value)
    if any(number < 0 or (number == 0 and not zero) for number in found):
        raise ValueError(f"{reprlib.repr(value)} holds a number that is too small")
    return found


def pair(values: tuple[float, ...]) -> tuple[float, float]:
    """Two numbers."""
    first, second = values
    return first, second


def color(value: object) -> tuple[int, int, int]:
    """Red, green, blue, each 0 to 255."""
    red, green, blue = (whole(item) for item in items(value))
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError(f"{reprlib.repr(value)} is not a colour")
    return red, green, blue


def record(value: object) -> dict[str, object]:
    """A record."""
    if not isinstance(value, dict):
        raise TypeError(f"{reprlib.repr(value)} is not a record")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{reprlib.repr(value)} is not a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError("a number of its header is too large") from error
    if not math.isfinite(number):
        raise ValueError(f"{number} is not a finite number")
    return number


def class_table(value: object) -> ClassTable:
    """A list of classes, each with a value, a name and a colour."""
    return ClassTable(tuple(_class(record(item)) for item in items(value)))


def _class(item: dict[str, Any]) -> LandCoverClass:
    return LandCoverClass(whole(item["value"]), text(item["name"]), color(item["color"]))


def units(value: object) -> BandUnits:
    """Pixel type, scales and offsets."""
    item = record(value)
    return BandUnits(number_type(item["dtype"]), numbers(item["scale"]), numbers(item["offset"]))


def decision(value: object) -> Decision:
    """A task and its thresholds."""
    item = record(value)
    return Decision(text(item["task"]), numbers(item["thresholds"]))  # ty: ignore[invalid-argument-type]
