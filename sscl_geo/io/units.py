"""What the numbers in a raster stand for, as far as the file tells."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from sscl_geo.errors import MixedUnitsWarning, UnitsError
from sscl_geo.io.scene import Scene


@dataclass(frozen=True)
class BandUnits:
    """Pixel type, and scale and offset tags, of some bands.

    A value that stands in a file means ``value * scale + offset``. Most files name neither, and it
    is then not known what their numbers mean.

    Attributes:
        dtype: numpy name of the pixel type.
        scale: of each band; 1 where the file names none.
        offset: of each band; 0 where the file names none.
    """

    dtype: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    @classmethod
    def of(cls, scene: Scene, bands: Sequence[str] | None = None) -> Self:
        """Units of a scene's bands, in the order of their names; of all bands if None."""
        everything = range(len(scene.bands))
        at = everything if bands is None else [scene.bands.index(band) for band in bands]
        return cls(
            scene.dtype,
            tuple(scene.scale[i] if scene.scale else 1.0 for i in at),
            tuple(scene.offset[i] if scene.offset else 0.0 for i in at),
        )

    @property
    def is_tagged(self) -> bool:
        """Whether the file says what its numbers mean."""
        return any(s != 1 for s in self.scale) or any(o != 0 for o in self.offset)

    @property
    def tags(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Scale and offset of each band."""
        return self.scale, self.offset

    @property
    def kind(self) -> str:
        """Kind of the pixel type: types of one kind hold the same measurements."""
        dtype = np.dtype(self.dtype)
        if dtype.kind == "f":
            return "fractions"
        return "whole numbers of 8 bits" if dtype.itemsize == 1 else "whole numbers of 16 bits"

    def select(self, order: Sequence[int]) -> "BandUnits":
        """The units of some of the bands, in another order."""
        scale, offset = (tuple(values[i] for i in order) for values in self.tags)
        return BandUnits(self.dtype, scale, offset)

    def statistics_in(
        self, other: "BandUnits", mean: Sequence[float], std: Sequence[float], path: str
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Means and standard deviations in these units, as they are in others.

        Equal tags leave them as they are. Where both files are tagged they are carried over
        exactly; where neither is, pixel types of one kind are taken to hold the same measurements.

        Args:
            other: units of a scene.
            mean: mean of each band, in these units.
            std: standard deviation of each band, in these units.
            path: the scene, for messages.

        Raises:
            UnitsError: if the files do not tell how their units compare.
        """
        if not self.is_tagged and not other.is_tagged:
            if self.kind != other.kind:
                raise UnitsError(
                    f"{path} holds {other.kind} ({other.dtype}) but the model was trained on "
                    f"{self.kind} ({self.dtype}), and no scale tells how they compare; "
                    f"{_HOW_TO_GO_ON}."
                )
            return tuple(mean), tuple(std)
        if self.tags == other.tags:
            return tuple(mean), tuple(std)
        if not (self.is_tagged and other.is_tagged):
            raise UnitsError(
                f"{path} names {other} but the scenes that the model was trained on name {self}, "
                f"so it is not known how their numbers compare; {_HOW_TO_GO_ON}."
            )
        if not all(math.isfinite(s) and s > 0 for s in (*self.scale, *other.scale)):
            raise UnitsError(
                f"{path} names {other} and the model {self}, of which a scale is not above 0; "
                "correct the tags."
            )
        bands = zip(*self.tags, *other.tags, mean, std, strict=True)
        carried = [((m * s + o - o2) / s2, d * s / s2) for s, o, s2, o2, m, d in bands]
        return tuple(m for m, _ in carried), tuple(d for _, d in carried)

    def __str__(self) -> str:
        if not self.is_tagged:
            return "no scale"
        told = []
        for name, values in (("scale", self.scale), ("offset", self.offset)):
            different = dict.fromkeys(f"{value:g}" for value in values)
            told.append(f"the {name} {', '.join(different)}")
        return " and ".join(told)


_HOW_TO_GO_ON = (
    "bring the scene to the same units, or take its numbers as they are with --any-units "
    "(any_units=True)"
)


def differing_scene(scenes: Sequence[Scene], bands: Sequence[str] | None = None) -> Scene | None:
    """The first scene in other units than the first of all; None if they share theirs.

    Args:
        scenes: the scenes.
        bands: names of the bands; all if None.
    """
    first = BandUnits.of(scenes[0], bands)
    for scene in scenes[1:]:
        other = BandUnits.of(scene, bands)
        if other.tags != first.tags or (other.kind != first.kind and not first.is_tagged):
            return scene
    return None


def common_units(scenes: Sequence[Scene], bands: Sequence[str] | None = None) -> BandUnits | None:
    """The units that scenes share; None, with a warning, if they differ.

    Args:
        scenes: the scenes.
        bands: names of the bands; all if None.
    """
    first, scene = BandUnits.of(scenes[0], bands), differing_scene(scenes, bands)
    if scene is None:
        return first
    other = BandUnits.of(scene, bands)
    warnings.warn(
        f"{scene.path} is in other units ({other.dtype}, {other}) than {scenes[0].path} "
        f"({first.dtype}, {first}); the model cannot say which it was trained on.",
        MixedUnitsWarning,
        stacklevel=2,
    )
    return None
