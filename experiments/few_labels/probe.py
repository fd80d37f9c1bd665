"""Classes from features of single pixels, all settings chosen on the validation part."""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.few_labels.features import take
from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.probing.classify import importance_of_rare, logistic_regression, mean_iou

Kind = Literal["linear", "forest"]
Classify = Callable[[Tensor], Tensor]

DECAYS = (1e-3, 1e-2)
BALANCES = (0.0, 0.5)
"""Powers of the inverse class frequency that weigh the labelled pixels."""

_VALIDATION = 12_000
_ITERATIONS = 40
_CHUNK = 1 << 18


def best_probe(
    features: Tensor,
    labels: NDArray[np.uint8],
    validation: NDArray[np.uint8],
    classes: int,
    *,
    kind: Kind,
    most: int,
    seed: int,
) -> Classify:
    """Learn from labelled pixels, with the settings that have the best mIoU in the validation part.

    Args:
        features: shape (D, H, W).
        labels: class indices (H, W) to learn from, IGNORE_INDEX elsewhere.
        validation: class indices (H, W) to choose by, IGNORE_INDEX elsewhere.
        classes: number of classes.
        kind: ``"linear"`` or ``"forest"``.
        most: greatest number of labelled pixels that is learned from.
        seed: seed of the forest.

    Returns:
        maps features (N, D) to class indices (N).
    """
    x, y = _pixels(features, labels, most)
    asked, known = _pixels(features, validation, _VALIDATION)
    tried = _linear(x, y, classes) if kind == "linear" else _forests(x, y, seed)
    best, found = -1.0, None
    for classify in tried:
        miou = mean_iou(classify(asked), known, classes)
        if miou > best:
            best, found = miou, classify
    assert found is not None  # noqa: S101 - there is always a setting to try
    return found


def predict(classify: Classify, features: Tensor, part: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Class indices of all pixels of a part, in the order of ``np.argwhere``."""
    at = np.argwhere(part)
    found = [
        classify(take(features, at[i : i + _CHUNK])).numpy() for i in range(0, len(at), _CHUNK)
    ]
    return np.concatenate(found)


def _pixels(features: Tensor, labels: NDArray[np.uint8], most: int) -> tuple[Tensor, Tensor]:
    at = np.argwhere(labels != IGNORE_INDEX)
    at = at[np.random.default_rng(0).permutation(len(at))[:most]]
    return take(features, at), torch.from_numpy(labels[tuple(at.T)].astype(np.int64))


def _linear(x: Tensor, y: Tensor, classes: int) -> Iterator[Classify]:
    for decay in DECAYS:
        for balance in BALANCES:
            importance = importance_of_rare(y, classes, balance)
            weight, bias = logistic_regression(x, y, classes, decay, importance, _ITERATIONS)
            yield lambda z, w=weight, b=bias: (z @ w + b).argmax(dim=1)


def _forests(x: Tensor, y: Tensor, seed: int) -> Iterator[Classify]:
    from sklearn.ensemble import RandomForestClassifier

    for leaf in (1, 5, 20):
        for weights in (None, "balanced_subsample"):
            forest = RandomForestClassifier(
                100, min_samples_leaf=leaf, class_weight=weights, random_state=seed, n_jobs=-1
            ).fit(x.numpy(), y.numpy())
            yield lambda z, f=forest: torch.from_numpy(f.predict(z.numpy()))
