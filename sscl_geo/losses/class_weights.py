"""Weights of classes from how often they are labelled."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

ClassWeights = Literal["none", "sqrt", "inverse"]
"""Equal weights, or the inverse of the frequency, whole or its square root."""


def class_weights(counts: ArrayLike, kind: ClassWeights) -> list[float] | None:
    """Weights for the cross-entropy and the focal loss.

    ``w_k ~ n_k ** -p`` with p = 1 or 1/2, scaled so that their mean over the labelled pixels is 1,
    which leaves the size of the loss, and so the learning rate, as it is.

    Args:
        counts: labelled pixels of each class.
        kind: ``"none"``, ``"sqrt"`` or ``"inverse"``.

    Returns:
        a weight for each class, 0 for those without labels; None for ``"none"``.

    Example:
        >>> from sscl_geo.losses.class_weights import class_weights
        >>> [round(w, 3) for w in class_weights([100, 300], "inverse")]
        [2.0, 0.667]
    """
    if kind == "none":
        return None
    n = np.asarray(counts, np.float64)
    power = 1.0 if kind == "inverse" else 0.5
    weights = np.where(n > 0, np.maximum(n, 1) ** -power, 0.0)
    return (weights * n.sum() / (weights * n).sum()).tolist()
