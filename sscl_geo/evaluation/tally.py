"""Counting, tile by tile."""

import numpy as np
from numpy.typing import NDArray

from sscl_geo.classes import NODATA
from sscl_geo.evaluation.boundary import count_boundaries
from sscl_geo.evaluation.calibration import PERCENTS, Calibration
from sscl_geo.io.reading import Patch

_VALUES = NODATA + 1


class Tally:
    """Counts by class value that grow tile by tile.

    Args:
        tolerance: of borders, in pixels.

    Attributes:
        pairs: int64 of shape (256, 256), pixels by value of the reference and of the map.
        boundary: int64 of shape (4, 256), see
            :func:`~sscl_geo.evaluation.boundary.count_boundaries`.
    """

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self.pairs = np.zeros((_VALUES, _VALUES), np.int64)
        self.boundary = np.zeros((4, _VALUES), np.int64)
        self._confidence = np.zeros((2, PERCENTS), np.int64)

    @property
    def calibration(self) -> Calibration:
        """Compared pixels by confidence."""
        wrong, right = self._confidence
        return Calibration(wrong + right, right)

    def add(
        self,
        reference: NDArray[np.uint8],
        mapped: NDArray[np.uint8],
        counted: tuple[slice, slice],
    ) -> None:
        """Count a tile.

        Args:
            reference: class values (height, width), NODATA where unknown.
            mapped: class values of the map, NODATA where it has no data.
            counted: rows and columns that belong to this tile; the others are its surroundings.
        """
        known = reference[counted] != NODATA
        pairs = reference[counted][known].astype(np.int64) * _VALUES + mapped[counted][known]
        self.pairs += np.bincount(pairs, minlength=_VALUES**2).reshape(self.pairs.shape)
        self.boundary += count_boundaries(reference, mapped, self._tolerance, counted)

    def add_confidence(
        self,
        reference: NDArray[np.uint8],
        mapped: NDArray[np.uint8],
        percent: Patch,
        counted: tuple[slice, slice],
    ) -> None:
        """Count the confidence of a tile, 0 to 100 percent; arguments as in :meth:`add`."""
        both = (reference != NODATA) & (mapped != NODATA) & percent.valid
        both = both[counted]
        right = (reference == mapped)[counted][both]
        confidence = np.clip(np.rint(percent.image[0][counted][both]), 0, PERCENTS - 1)
        pairs = right * PERCENTS + confidence.astype(np.int64)
        self._confidence += np.bincount(pairs, minlength=2 * PERCENTS).reshape(2, PERCENTS)
