"""Means over the classes that a reference has.

TorchMetrics leaves a class out of a mean only where the prediction lacks it too. With few labels a
class is often missing from the validation part; one pixel that is taken for it would then count as
a class that is always wrong.
"""

from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix


class _ReferenceMean(MulticlassConfusionMatrix):
    """A mean of one figure for each class; NaN without a labelled pixel."""

    is_differentiable = False
    higher_is_better = True

    def compute(self) -> Tensor:
        """The mean over the classes that the reference has."""
        confusion: Tensor = super().compute().double()
        hits, reference, mapped = confusion.diagonal(), confusion.sum(dim=1), confusion.sum(dim=0)
        return self._figure(hits, reference, mapped)[reference > 0].mean().float()

    @staticmethod
    def _figure(hits: Tensor, reference: Tensor, mapped: Tensor) -> Tensor:
        raise NotImplementedError


class ReferenceIoU(_ReferenceMean):
    """Mean intersection over union of the classes that the reference has."""

    @staticmethod
    def _figure(hits: Tensor, reference: Tensor, mapped: Tensor) -> Tensor:
        return hits / (reference + mapped - hits)


class ReferenceF1(_ReferenceMean):
    """Mean F1 score of the classes that the reference has."""

    @staticmethod
    def _figure(hits: Tensor, reference: Tensor, mapped: Tensor) -> Tensor:
        return 2 * hits / (reference + mapped)
