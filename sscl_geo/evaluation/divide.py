"""Quotients of counts."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def divide(numerator: ArrayLike, denominator: ArrayLike) -> NDArray[np.float64]:
    """Quotient, elementwise; NaN where the denominator is 0."""
    over, under = np.broadcast_arrays(np.asarray(numerator), np.asarray(denominator))
    return np.divide(over, under, out=np.full(over.shape, np.nan), where=under != 0)
