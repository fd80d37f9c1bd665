"""Telling classes from frozen features of single pixels: how much do the features know?"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Probe = Literal["linear", "knn"]


def probe(
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    classes: int,
    kind: Probe = "linear",
    neighbours: int = 20,
    decay: float = 1e-2,
) -> Tensor:
    """Learn classes from some features and predict those of others.

    Args:
        train: features (N, D) and class indices (N) to learn from.
        test: features (M, D) and class indices (M); only the features are looked at.
        classes: number of classes.
        kind: ``"linear"``: multinomial logistic regression on standardised features, by L-BFGS from
            zero, so that nothing is random; ``"knn"``: majority of the nearest features by cosine.
        neighbours: number of them.
        decay: weight decay of the linear probe.

    Returns:
        predicted class indices (M).

    Example:
        >>> import torch
        >>> from sscl_geo.probing.classify import probe
        >>> known = torch.tensor([[0.0], [1.0], [2.0], [3.0]]), torch.tensor([0, 0, 1, 1])
        >>> probe(known, known, classes=2).tolist()
        [0, 0, 1, 1]
    """
    if kind == "knn":
        similarity = F.normalize(test[0]) @ F.normalize(train[0]).mT
        nearest = similarity.topk(min(neighbours, len(train[0])), dim=1).indices
        return F.one_hot(train[1][nearest], classes).sum(dim=1).argmax(dim=1)
    mean, std = train[0].mean(dim=0), train[0].std(dim=0).clamp(min=1e-6)
    known, asked = ((features - mean) / std for features in (train[0], test[0]))
    weight, bias = logistic_regression(known, train[1], classes, decay)
    return (asked @ weight + bias).argmax(dim=1)


def logistic_regression(
    features: Tensor,
    labels: Tensor,
    classes: int,
    decay: float,
    importance: Tensor | None = None,
    iterations: int = 60,
) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression by L-BFGS from zero, so that nothing is random.

    Args:
        features: shape (N, D), of like scale.
        labels: class indices (N).
        classes: number of classes.
        decay: weight decay.
        importance: weight of each row (N), with a mean of 1; all alike if None.
        iterations: greatest number of them.

    Returns:
        weights (D, classes) and biases (classes).
    """
    weight = torch.zeros(features.shape[1], classes, device=features.device, requires_grad=True)
    bias = torch.zeros(classes, device=features.device, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=iterations, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        losses = F.cross_entropy(features @ weight + bias, labels, reduction="none")
        if importance is not None:
            losses = losses * importance
        loss = losses.mean() + decay * weight.square().sum() / 2
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    return weight.detach(), bias.detach()


def importance_of_rare(labels: Tensor, classes: int, power: float) -> Tensor:
    """Weights for :func:`logistic_regression` by which rare classes count more.

    Args:
        labels: class indices (N).
        classes: number of classes.
        power: of how rare a class is: 0 for all rows alike, 1 for all classes alike.

    Returns:
        shape (N), with a mean of 1.
    """
    counts = torch.bincount(labels, minlength=classes)
    importance = ((len(labels) / counts.clamp(min=1)) ** power)[labels]
    return importance / importance.mean()


def mean_iou(predicted: Tensor, reference: Tensor, classes: int) -> float:
    """Mean intersection over union of the classes that occur in the reference."""
    pairs = torch.bincount(reference * classes + predicted, minlength=classes**2)
    confusion = pairs.reshape(classes, classes).double()
    union = confusion.sum(dim=0) + confusion.sum(dim=1) - confusion.diagonal()
    occurs = confusion.sum(dim=1) > 0
    return float((confusion.diagonal()[occurs] / union[occurs]).mean())
