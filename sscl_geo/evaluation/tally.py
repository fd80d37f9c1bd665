"""Counting, tile by tile."""

import numpy as np
from numpy.typing import NDArray

from sscl_geo.classes import NODATA
from sscl_geo.evaluation.boundary import count_boundaries
from sscl_geo.evaluation.calibration import PERCENTS, Calibration
from sscl_geo.io.reading import Patch


class Tally:
    """Counts by class value that grow tile by tile.

    Args:
        tolerance: of borders, in pixels.
        nodata: value of pixels without data, above all class values.

    Attributes:
        pairs: int64 of shape (nodata + 1, nodata + 1), pixels by value of the reference and of the
            map.
        boundary: int64 of shape (4, nodata + 1), see
            :func:`~sscl_geo.evaluation.boundary.count_boundaries`.
    """

    def __init__(self, tolerance: float, nodata: int = NODATA) -> None:
        self._tolerance, self._nodata = tolerance, nodata
        self.pairs = np.zeros((nodata + 1, nodata + 1), np.int64)
        self.boundary = np.zeros((4, nodata + 1), np.int64)
        self._confidence = np.zeros((2, PERCENTS), np.int64)

    @property
    def calibration(self) -> Calibration:
        """Compared pixels by confidence."""
        wrong, right = self._confidence
        return Calibration(wrong + right, right)

    def add(
        self,
        reference: NDArray[np.unsignedinteger],
        mapped: NDArray[np.unsignedinteger],
        counted: tuple[slice, slice],
    ) -> None:
        """Count a tile.

        Args:
            reference: class values (height, width), ``nodata`` where unknown.
            mapped: class values of the map, ``nodata`` where it has no data.
            counted: rows and columns that belong to this tile; the others are its surroundings.
        """
        known = reference[counted] != self._nodata
        first = reference[counted][known].astype(np.int64) * len(self.pairs)
        pairs = np.bincount(first + mapped[counted][known], minlength=self.pairs.size)
        self.pairs += pairs.reshape(self.pairs.shape)
        self.boundary += count_boundaries(reference, mapped, self._tolerance, counted, self._nodata)

    def add_confidence(
        self,
        reference: NDArray[np.unsignedinteger],
        mapped: NDArray[np.unsignedinteger],
        percent: Patch,
        counted: tuple[slice, slice],
    ) -> None:
        """Count the confidence of a tile, 0 to 100 percent; arguments as in :meth:`add`."""
        both = (reference != self._nodata) & (mapped != self._nodata) & percent.valid
        both = both[counted]
        right = (reference == mapped)[counted][both]
        confidence = np.clip(np.rint(percent.image[0][counted][both]), 0, PERCENTS - 1)
        pairs = right * PERCENTS + confidence.astype(np.int64)
        self._confidence += np.bincount(pairs, minlength=2 * PERCENTS).reshape(2, PERCENTS)
