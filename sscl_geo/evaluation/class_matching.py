"""Matching the classes of labels that have names alone with the classes of maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sscl_geo.classes import HIGHEST_VALUE, NODATA, LandCoverClass, nodata_of
from sscl_geo.errors import LabelError
from sscl_geo.evaluation.value_codes import ValueCodes
from sscl_geo.io.labels import Labels
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.remap import number_or_text
from sscl_geo.io.scene import Scene

_ROWS = 512
"""Rows that are read at once."""


@dataclass(frozen=True)
class Matched:
    """Classes of labels, with values that can be compared with those of maps.

    Attributes:
        classes: a class for each of the labels', in their order; two of them have the same value
            where the labels call a class of the maps by two names.
        lacking: values of those that the maps lack.
    """

    classes: tuple[LandCoverClass, ...]
    lacking: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class MapClasses:
    """The classes of maps that are compared together.

    Attributes:
        maps: the maps.
        names: name by value, as a class table or else legends give them.
    """

    maps: Sequence[Scene]
    names: Mapping[int, str]

    @cached_property
    def held(self) -> frozenset[int]:
        """Values that pixels of the maps have; the maps are read for it once."""
        codes = ValueCodes(self.names)
        found = np.zeros(codes.nodata + 1, bool)
        for scene in self.maps:
            height, width = scene.shape
            with SceneReader(scene) as reader:
                for top in range(0, height, _ROWS):
                    patch = reader.read(top, 0, min(_ROWS, height - top), width)
                    values = np.where(patch.valid, patch.image[0], nodata_of("uint16"))
                    found[np.unique(codes.encode(values, scene.path))] = True
        return frozenset(codes.values[found[: codes.nodata]].tolist())

    def match(self, labels: Labels) -> Matched:
        """Give the classes of labels the values that they have on the maps.

        Labels with values keep them. A name means the class that the maps call so, whatever its
        case; else the value that it is the text of, as in ``1`` or ``class 1``, unless names of the
        maps are numbers of something else. Other names have values that no map uses.

        Args:
            labels: the labels.

        Raises:
            LabelError: if the maps have none of the names.
        """
        if not labels.is_named_only:
            return Matched(labels.classes.classes)
        by_name = {name.casefold(): value for value, name in self.names.items()}
        names = [c.name.casefold() for c in labels.classes]
        # A number among names is read as a value without a name, and may be a name of the maps.
        called = {name: by_name.get(name, by_name.get(str(_number(name)))) for name in names}
        value_of = {name: value for name, value in called.items() if value is not None}
        lacking: dict[str, int] = {}
        if len(value_of) < len(set(names)):
            known = {*self.names, *self.held}
            numbers = {name: self._number_in(name) for name in names if name not in value_of}
            value_of |= {name: n for name, n in numbers.items() if n is not None and n in known}
            if not value_of:
                here = ", ".join(self.names.get(v, f"class {v}") for v in sorted(known))
                raise LabelError(
                    f"No class of the labels {labels.path} ({', '.join(labels.classes.names)}) is "
                    f"one of {self.maps[0].path} ({here}); rename them with --remap, or say with "
                    "--classes which value each name has."
                )
            free = (v for v in range(HIGHEST_VALUE) if v != NODATA and v not in known)
            lacking = {name: next(free) for name in numbers if name not in value_of}
        values = [(value_of | lacking)[name] for name in names]
        classes = zip(values, labels.classes, strict=True)
        return Matched(
            tuple(LandCoverClass(v, self.names.get(v, c.name), c.color) for v, c in classes),
            frozenset(lacking.values()),
        )

    def _number_in(self, name: str) -> int | None:
        """The value that a name is the text of, if it can be nothing else."""
        named = ((_number(text), value) for value, text in self.names.items())
        is_clear = all(number in (None, value) for number, value in named)
        return _number(name) if is_clear else None


def _number(name: str) -> int | None:
    """The number that a name is the text of, as in ``1`` or ``class 1``."""
    number = number_or_text(name.casefold().removeprefix("class "))
    return number if isinstance(number, int) else None
