"""Class tables: the values, names and colours that labels and maps share."""

import colorsys
import csv
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sscl_geo.errors import LabelError
from sscl_geo.io.csv_file import read_csv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NODATA = 255
"""Value of pixels without data in maps of uint8."""

IGNORE_INDEX = 255
"""Class index of pixels without a label among up to 255 classes, left out of losses and metrics."""

HIGHEST_VALUE = 65_534
"""Highest value of a class: 65535 marks pixels without data in maps of uint16."""

_NODATA_OF = {"uint8": NODATA, "uint16": HIGHEST_VALUE + 1}


def nodata_of(dtype: object) -> int:
    """What marks a pixel without data, or without a label: the highest value of its type.

    Args:
        dtype: numpy name of the type, ``"uint8"`` or ``"uint16"``, or the type itself.
    """
    return _NODATA_OF[str(dtype)]


def map_dtype(values: Iterable[int]) -> str:
    """Pixel type of maps of some class values: ``"uint8"``, or ``"uint16"`` where these do not fit.

    255 marks pixels without data in uint8, so that it is a class only beside higher values, or
    where all from 0 to 255 are classes.

    Args:
        values: class values; what cannot be one is left out of account.
    """
    usable = {value for value in values if 0 <= value <= HIGHEST_VALUE}
    is_high = max(usable, default=0) > NODATA or len(usable) > NODATA
    return "uint16" if is_high else "uint8"


@dataclass(frozen=True)
class LandCoverClass:
    """One class of a map.

    Attributes:
        value: pixel value in label rasters and maps, 0 to 65534.
        name: what a legend shows.
        color: red, green, blue, each 0 to 255.
    """

    value: int
    name: str
    color: tuple[int, int, int]

    @property
    def hex_color(self) -> str:
        """Colour as ``#rrggbb``."""
        return "#{:02x}{:02x}{:02x}".format(*self.color)


@dataclass(frozen=True)
class ClassTable:
    """Classes in the order of a network's outputs: output k predicts ``table[k]``.

    Maps are of uint8 as long as all values are below 255, and of uint16 otherwise.

    Args:
        classes: the classes; values must be distinct and between 0 and 65534, names distinct. 255
            is a class only beside higher values, or where all from 0 to 255 are.

    Raises:
        LabelError: if there is no class, or values or names repeat or are out of range.
    """

    classes: tuple[LandCoverClass, ...]

    def __post_init__(self) -> None:
        values, names = self.values, self.names
        if not values:
            raise LabelError("The class table is empty; give at least one class.")
        if len(set(values)) < len(values) or len(set(names)) < len(names):
            raise LabelError("The class table repeats a value or a name; make each one distinct.")
        bad = [v for v in values if not 0 <= v <= HIGHEST_VALUE]
        if bad:
            raise LabelError(
                f"Class value {bad[0]} is outside 0 to {HIGHEST_VALUE}; renumber the classes."
            )
        if self.dtype == "uint8" and NODATA in values:
            raise LabelError(
                f"Class value {NODATA} marks pixels without data, and without a label; renumber "
                "the class."
            )

    def __len__(self) -> int:
        return len(self.classes)

    def __iter__(self) -> Iterator[LandCoverClass]:
        return iter(self.classes)

    def __getitem__(self, index: int) -> LandCoverClass:
        return self.classes[index]

    @property
    def values(self) -> tuple[int, ...]:
        """Pixel values in output order."""
        return tuple(c.value for c in self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in output order."""
        return tuple(c.name for c in self.classes)

    @property
    def dtype(self) -> str:
        """Pixel type of maps of these classes: ``"uint8"``, or ``"uint16"`` for high values."""
        return map_dtype(self.values)

    @property
    def nodata(self) -> int:
        """Value of map pixels without data: 255, or 65535."""
        return nodata_of(self.dtype)

    @property
    def index_dtype(self) -> str:
        """Type that holds class indices: ``"uint8"`` for up to 255 classes, else ``"uint16"``."""
        return "uint16" if len(self) > IGNORE_INDEX else "uint8"

    @property
    def ignore_index(self) -> int:
        """Class index of pixels without a label: 255, or 65535 where there are more classes."""
        return nodata_of(self.index_dtype)

    def values_of(self, indices: "NDArray[np.integer]") -> "NDArray[np.integer]":
        """Class values of class indices, :attr:`nodata` where these are :attr:`ignore_index`."""
        import numpy as np

        value_of = np.full(self.ignore_index + 1, self.nodata, self.dtype)
        value_of[: len(self)] = self.values
        return value_of[indices]

    @classmethod
    def from_values(
        cls, values: Iterable[int], names: dict[int, str] | None = None
    ) -> "ClassTable":
        """Table for class values, in ascending order, with names where known and made-up colours.

        Args:
            values: the class values that occur.
            names: name of a value; ``class N`` for those without.
        """
        names = names or {}
        ordered = sorted({int(v) for v in values})
        return cls(
            tuple(
                LandCoverClass(v, names.get(v, f"class {v}"), default_color(i))
                for i, v in enumerate(ordered)
            )
        )

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> "ClassTable":
        """Read a table with the columns ``value``, ``name`` and, optionally, ``color`` (#rrggbb).

        Commas, semicolons or tabs stand between them; rows without an entry are left out.

        Raises:
            LabelError: if the file is missing or a row cannot be understood.
        """
        rows = read_csv(path, "class table", ("value", "name"))
        return cls(tuple(parse_row(path, i, row) for i, row in enumerate(rows)))

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table as :meth:`from_csv` reads it."""
        from sscl_geo.io.atomic import atomic_path

        with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as f:
            writer = csv.writer(f)
            writer.writerow(["value", "name", "color"])
            writer.writerows([c.value, c.name, c.hex_color] for c in self.classes)


def parse_row(path: object, i: int, row: Mapping[str, str | None]) -> LandCoverClass:
    """Read one class from a row of texts.

    Args:
        path: file of the row, for messages.
        i: number of the row, from 0.
        row: ``value``, ``name`` and, optionally, ``color`` (#rrggbb).

    Raises:
        LabelError: if the row cannot be understood.
    """
    try:
        value, name = int(row["value"] or ""), (row["name"] or "").strip()
    except (KeyError, ValueError) as error:
        raise LabelError(
            f"Row {i + 1} of {path} has no whole number under 'value' or no 'name'; "
            "give the columns value,name,color."
        ) from error
    color = (row.get("color") or "").strip()
    if color and not re.fullmatch(r"#?[0-9a-fA-F]{6}", color):
        raise LabelError(
            f"Row {i + 1} of {path}: {color!r} is not a colour like #1f78b4; correct it."
        )
    digits = color.lstrip("#")
    rgb = (int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)) if digits else None
    return LandCoverClass(value, name or f"class {value}", rgb or default_color(i))


def default_color(index: int) -> tuple[int, int, int]:
    """Colour of the n-th class where none is given: hues spread by the golden ratio."""
    hue = (0.33 + index * 0.618033988749895) % 1.0
    lightness = (0.45, 0.62, 0.34)[index % 3]
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.6)
    return round(red * 255), round(green * 255), round(blue * 255)
