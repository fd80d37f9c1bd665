"""Which patches of the training tiles are labelled, and which are for validation."""

from collections.abc import Mapping, Sequence
from csv import DictReader
from dataclasses import dataclass
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from sscl_geo.errors import ConfigError
from sscl_geo.studies.patch_grid import PatchGrid

_VALIDATION_STREAM = 1


class Place(NamedTuple):
    """A patch: position of its tile in a sequence, and its number in the tile's grid."""

    tile: int
    number: int


@dataclass(frozen=True)
class Choice:
    """Patches of the training tiles.

    Attributes:
        labelled: patches to learn from.
        validation: patches to choose the best epoch by; none touches a labelled one.
        named: whether all labelled patches are those that the protocol names.
    """

    labelled: tuple[Place, ...]
    validation: tuple[Place, ...]
    named: bool


def read_named_patches(file: str) -> dict[str, tuple[int, ...]]:
    """Numbers of the patches that a protocol labels, by tile.

    Args:
        file: name of a list in this package.

    Example:
        >>> from sscl_geo.studies.choice import read_named_patches
        >>> named = read_named_patches("potsdam_1_percent.csv")
        >>> sum(map(len, named.values())), named["7_8"]
        (138, (74, 519, 549))
    """
    text = files("sscl_geo.studies").joinpath(file).read_text(encoding="utf-8")
    rows = DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["tile"]: tuple(map(int, row["patches"].split())) for row in rows}


def choose_patches(
    grids: Sequence[PatchGrid],
    share: float,
    val_share: float,
    *,
    seed: int = 0,
    named: Mapping[int, Sequence[int]] | None = None,
) -> Choice:
    """Choose labelled patches, and validation patches that touch none of them.

    Validation patches are the same for every seed and every share. The labelled ones of a share are
    among those of any larger share with the same seed; where a protocol names some, these come
    first. Patches that touch a validation patch are never labelled.

    Args:
        grids: grids of the training tiles.
        share: share of all patches to label, above 0 and up to 1.
        val_share: share of all patches for validation, likewise below 1.
        seed: of the draw of labelled patches.
        named: numbers of the patches that the protocol labels, by tile.

    Raises:
        ConfigError: if a share is out of range, or fewer than two patches would be labelled.
    """
    if not (0 < share <= 1 and 0 < val_share < 1):
        raise ConfigError(
            f"Shares of {share} for labels and {val_share} for validation are impossible; give "
            "more than 0, at most 1, and less than 1 for validation."
        )
    everything = [Place(t, n) for t, grid in enumerate(grids) for n in range(1, len(grid) + 1)]
    first = [Place(t, n) for t in sorted(named or {}) for n in (named or {})[t]]
    kept_free = _around(first, grids)
    free = [place for place in everything if place not in kept_free]
    count = max(1, round(val_share * len(everything)))
    drawn = np.random.default_rng((0, _VALIDATION_STREAM)).permutation(len(free))[:count]
    validation = tuple(sorted(free[i] for i in drawn))
    taken = _around(validation, grids) | set(first)
    rest = [place for place in everything if place not in taken]
    order = first + [rest[i] for i in np.random.default_rng(seed).permutation(len(rest))]
    wanted = max(1, round(share * len(everything)))
    labelled = tuple(sorted(order[:wanted]))
    if not validation or len(labelled) < 2:
        raise ConfigError(
            f"Of {len(everything)} patches {len(labelled)} would be labelled and {len(validation)} "
            "for validation, but at least 2 and 1 are needed; change the shares, or take smaller "
            "patches."
        )
    return Choice(labelled, validation, named=bool(first) and wanted <= len(first))


def _around(places: Sequence[Place], grids: Sequence[PatchGrid]) -> set[Place]:
    """Places and those that touch them, corners included."""
    return {Place(t, near) for t, number in places for near in grids[t].around(number)}
