"""Dealing blocks or scenes to parts."""

import warnings
from collections.abc import Mapping
from typing import Literal

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from sscl_geo.errors import ConfigError, UnevenSplitWarning

DEFAULT_SHARES = {"train": 0.5, "val": 0.1, "test": 0.4}
"""Shares of the blocks that each part gets when none are given."""

_FAR = 0.1
"""Of all ground, how much a part may have beside its share before it is told."""


def checked_shares(shares: Mapping[str, float] | None) -> dict[str, float]:
    """Shares by part, the default ones if None, so that they sum to 1.

    Raises:
        ConfigError: if a share is negative, or all are 0.
    """
    shares = DEFAULT_SHARES if shares is None else shares
    if not shares or min(shares.values()) < 0 or sum(shares.values()) <= 0:
        raise ConfigError(
            f"Ground cannot be dealt by the shares {dict(shares)}; give shares of 0 or more that "
            "are not all 0."
        )
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


def give_way(
    outlines: NDArray[np.object_],
    dealt: NDArray[np.int_],
    distance: float,
    join: Literal["mitre", "round"],
) -> NDArray[np.object_]:
    """Cut from each part the ground of later parts and what lies within a distance of it.

    Args:
        outlines: polygons.
        dealt: number of the part of each polygon.
        distance: width of the strip that is left between parts, in the units of the polygons.
        join: how the strip turns corners; ``mitre`` keeps right angles.

    Returns:
        the polygons, some of which may be empty.
    """
    kept = outlines.copy()
    for part in range(int(dealt.max(initial=0))):
        later = shapely.union_all(outlines[dealt > part])
        reach = shapely.buffer(later, distance, join_style=join)
        kept[dealt == part] = shapely.difference(outlines[dealt == part], reach)
    return kept


def deal(
    holds: NDArray[np.bool_], shares: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int_]:
    """Deal blocks to parts by iterative stratification, rarest class first.

    Args:
        holds: (blocks, classes), which class occurs in which block.
        shares: share of each part; sum to 1.
        rng: source of chance.

    Returns:
        number of the part of each block.
    """
    blocks = len(holds)
    dealt = np.full(blocks, -1)
    wanted = shares * blocks
    wanted_of_class = shares[:, None] * holds.sum(axis=0)
    present = np.zeros(wanted_of_class.shape, bool)

    def give(block: int, part: int) -> None:
        dealt[block] = part
        wanted[part] -= 1
        wanted_of_class[part] -= holds[block]
        present[part] |= holds[block]

    order = rng.permutation(blocks)
    while holds.shape[1] and (left := dealt[order] < 0).any():
        remaining = holds[order[left]].sum(axis=0)
        if not remaining.any():
            break
        rarest = int(np.argmin(np.where(remaining > 0, remaining, blocks + 1)))
        for block in order[left & holds[order, rarest]]:
            lacking = shares[0] > 0 and not present[0, rarest]
            give(block, 0 if lacking else _most_wanted(wanted_of_class[:, rarest], wanted, shares))
    for block in order[dealt[order] < 0]:
        give(block, _most_wanted(wanted, wanted, shares))
    return dealt


def warn_if_uneven(
    shares: Mapping[str, float], dealt: NDArray[np.int_], ground: ArrayLike, what: str, mending: str
) -> None:
    """Warn if a part has less than half of its share, or is a tenth of all ground away from it.

    Args:
        shares: share of each part; sum to 1.
        dealt: number of the part of each thing that was dealt.
        ground: how much ground each of them has.
        what: the things, for the message.
        mending: what to do, for the message.

    Warns:
        UnevenSplitWarning: of all such parts at once.
    """
    got = np.bincount(dealt, np.broadcast_to(ground, dealt.shape), len(shares))
    got /= got.sum()
    far = [
        f"{name!r} gets {has:.0%} in place of {share:.0%}"
        for (name, share), has in zip(shares.items(), got.tolist(), strict=True)
        if has < share / 2 or abs(has - share) > _FAR
    ]
    if far:
        message = f"{what} cannot be dealt by the shares: {', '.join(far)}; {mending}."
        warnings.warn(message, UnevenSplitWarning, stacklevel=3)


def _most_wanted(
    first: NDArray[np.float64], second: NDArray[np.float64], shares: NDArray[np.float64]
) -> int:
    """Part that lacks most, ties broken by the second count, then by order."""
    return max(
        np.flatnonzero(shares > 0).tolist(), key=lambda part: (round(first[part], 9), second[part])
    )
