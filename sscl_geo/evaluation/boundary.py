"""Boundary F1: how well the borders of a map lie on those of the reference."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sscl_geo.classes import NODATA
from sscl_geo.evaluation.divide import divide


@dataclass(frozen=True, eq=False)
class BoundaryCounts:
    """Border pixels of each class, and how many of them the other side has nearby.

    A pixel is on the border of its class if one of its four neighbours is of another class; where
    reference or map say nothing there is no border. A border pixel is found if the other side has
    a border pixel of the same class within the tolerance (Csurka et al., 2013, What is a good
    evaluation measure for semantic segmentation?, BMVC, doi:10.5244/C.27.32). Pixels are summed
    before they are divided, so that tiles and scenes count by their borders.

    Attributes:
        tolerance: greatest distance between the centres of two matching pixels, in pixels.
        reference: int64 of shape (K,), border pixels of the reference.
        reference_found: those that the map has nearby.
        mapped: border pixels of the map.
        mapped_found: those that the reference has nearby.
    """

    tolerance: float
    reference: NDArray[np.int64]
    reference_found: NDArray[np.int64]
    mapped: NDArray[np.int64]
    mapped_found: NDArray[np.int64]

    @property
    def f1(self) -> NDArray[np.float64]:
        """Boundary F1 of each class; NaN where neither side has a border."""
        precision = np.nan_to_num(divide(self.mapped_found, self.mapped))
        recall = np.nan_to_num(divide(self.reference_found, self.reference))
        score = np.nan_to_num(divide(2 * precision * recall, precision + recall))
        return np.where(self.reference + self.mapped > 0, score, np.nan)

    @property
    def mean_f1(self) -> float:
        """Mean over the classes that have a border in the reference; NaN if none has."""
        scores = self.f1[self.reference > 0]
        return float(scores.mean()) if scores.size else float("nan")

    @classmethod
    def of(cls, tolerance: float, counts: NDArray[np.int64]) -> Self:
        """Take the counts of :func:`count_boundaries`, of shape (4, K)."""
        return cls(tolerance, *counts)

    @property
    def counts(self) -> NDArray[np.int64]:
        """The four counts, of shape (4, K)."""
        return np.stack([self.reference, self.reference_found, self.mapped, self.mapped_found])


def count_boundaries(
    reference: NDArray[np.unsignedinteger],
    mapped: NDArray[np.unsignedinteger],
    tolerance: float,
    counted: tuple[slice, slice],
    nodata: int = NODATA,
) -> NDArray[np.int64]:
    """Count border pixels by class value.

    Args:
        reference: class values (height, width) below ``nodata``, which is where unknown.
        mapped: the same of the map.
        tolerance: see :class:`BoundaryCounts`, in pixels.
        counted: rows and columns whose pixels are counted; what lies around them is looked at.
        nodata: value of unknown pixels.

    Returns:
        int64 of shape (4, nodata + 1), in the order of the attributes of :class:`BoundaryCounts`.
    """
    both = (reference != nodata) & (mapped != nodata)
    edge, map_edge = (_edges(np.where(both, side, nodata), nodata) for side in (reference, mapped))
    counts = np.stack(
        [
            np.bincount(values[counted].ravel(), minlength=nodata + 1)
            for values in (
                edge,
                np.where(_is_near(edge, map_edge, tolerance, nodata), edge, nodata),
                map_edge,
                np.where(_is_near(map_edge, edge, tolerance, nodata), map_edge, nodata),
            )
        ]
    )
    counts[:, nodata] = 0
    return counts


def _edges(values: NDArray[np.unsignedinteger], nodata: int) -> NDArray[np.unsignedinteger]:
    """Class values of border pixels, ``nodata`` elsewhere."""
    on_edge = np.zeros(values.shape, bool)
    for line, mark in ((values, on_edge), (values.T, on_edge.T)):
        before, after = line[:-1], line[1:]
        differ = (before != after) & (before != nodata) & (after != nodata)
        mark[:-1] |= differ
        mark[1:] |= differ
    return np.where(on_edge, values, nodata).astype(values.dtype)


def _is_near(
    own: NDArray[np.unsignedinteger],
    other: NDArray[np.unsignedinteger],
    tolerance: float,
    nodata: int,
) -> NDArray[np.bool_]:
    """Where the other side has the own value within the tolerance."""
    reach = int(tolerance)
    padded = np.pad(other, reach, constant_values=nodata)
    height, width = own.shape
    # One shift serves all classes, as a pixel has one: no distance map for each of them.
    near = np.zeros(own.shape, bool)
    for row, col in np.argwhere(_disk(reach, tolerance)):
        near |= padded[row : row + height, col : col + width] == own
    return near


def _disk(reach: int, radius: float) -> NDArray[np.bool_]:
    steps = np.arange(-reach, reach + 1)
    return steps[:, None] ** 2 + steps**2 <= radius**2
