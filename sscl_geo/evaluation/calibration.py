"""Calibration: whether a map that says 80 % is right in 80 % of the pixels."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sscl_geo.evaluation.divide import divide

PERCENTS = 101
"""Values of a confidence raster: 0 to 100 percent."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Compared pixels by the confidence that the map gives them.

    Attributes:
        pixels: int64 of shape (101,), pixels of 0, 1, ... 100 percent confidence.
        right: int64 of shape (101,), those of them on which map and reference agree.
    """

    pixels: NDArray[np.int64]
    right: NDArray[np.int64]

    def bins(self, count: int = 10) -> pd.DataFrame:
        """Reliability table: confidence and accuracy, 0 to 1, in bins of equal width.

        Args:
            count: number of bins. Each holds its upper end, and the first also 0.

        Returns:
            one row a bin: ``lower``, ``upper``, ``pixels``, ``confidence`` (the mean), and
            ``accuracy``; the last two are NaN in empty bins.
        """
        percent = np.arange(PERCENTS)
        # In whole numbers: 0.3 * 10 is not 3.
        bin_of = np.maximum(-(-percent * count // 100) - 1, 0)
        pixels, right, total = (
            np.bincount(bin_of, weights, count)
            for weights in (self.pixels, self.right, self.pixels * percent)
        )
        edges = np.arange(count + 1) / count
        return pd.DataFrame(
            {
                "lower": edges[:-1],
                "upper": edges[1:],
                "pixels": pixels.astype(np.int64),
                "confidence": divide(total, 100 * pixels),
                "accuracy": divide(right, pixels),
            }
        )

    def expected_error(self, bins: int = 10) -> float:
        """Expected calibration error (ECE): mean gap between confidence and accuracy, 0 to 1.

        Guo et al., 2017, On calibration of modern neural networks, equation 3. The confidence of a
        map is stored in whole percents, so that it is exact to half a percent.

        Args:
            bins: number of bins of equal width.
        """
        table = self.bins(bins)
        gaps = (table["accuracy"] - table["confidence"]).abs().fillna(0)
        return float(divide((gaps * table["pixels"]).sum(), self.pixels.sum()))
