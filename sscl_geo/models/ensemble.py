"""Several models that vote on one map."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sscl_geo.decision import Decision
from sscl_geo.errors import BundleError
from sscl_geo.io.units import BandUnits
from sscl_geo.models.predictor import Predictor


class EnsemblePredictor(nn.Module):
    """Averages the probabilities of several predictors.

    Each normalises with its own statistics and gets its bands in its own order. The bands of the
    first are those of the ensemble. Thresholds are averaged as probabilities are: a class is shown
    where the members are above their thresholds in the mean.

    Args:
        predictors: with the same classes, decided in the same way, and the same bands in any order.

    Raises:
        BundleError: if classes, bands or the way to decide differ.
    """

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        super().__init__()
        first = predictors[0]
        for number, other in enumerate(predictors[1:], start=2):
            mine, theirs = ([(c.value, c.name) for c in p.classes] for p in (first, other))
            if first.decision.task != other.decision.task:
                raise BundleError(
                    f"Model {number} is {other.decision.task} but the first is "
                    f"{first.decision.task}; vote with models of one kind."
                )
            if mine != theirs:
                raise BundleError(
                    f"Model {number} has other classes ({', '.join(other.classes.names)}) than the "
                    f"first ({', '.join(first.classes.names)}); vote with models of one task."
                )
            if sorted(other.bands) != sorted(first.bands) or len(set(first.bands)) < len(
                first.bands
            ):
                raise BundleError(
                    f"Model {number} takes other bands ({', '.join(other.bands)}) than the first "
                    f"({', '.join(first.bands)}); vote with models of the same bands."
                )
        self.predictors = nn.ModuleList(predictors)
        self.bands, self.classes = first.bands, first.classes
        self.decision = _mean_decision(predictors)
        self.stride = math.lcm(*(p.stride for p in predictors))
        self._orders = [[first.bands.index(b) for b in p.bands] for p in predictors]

    def in_units(self, units: BandUnits, path: str) -> "EnsemblePredictor":
        """The ensemble for scenes in other units; see :meth:`Predictor.in_units`."""
        members = zip(self.predictors, self._orders, strict=True)
        return EnsemblePredictor([p.in_units(units.select(order), path) for p, order in members])  # ty: ignore[not-callable]

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Mean probabilities of a batch.

        Args:
            image: float32 of shape (B, C, H, W), raw units, bands in the order of ``bands``.
            valid: bool of shape (B, H, W).

        Returns:
            float32 of shape (B, K, H, W).
        """
        answers = (
            predictor(image[:, order], valid)
            for predictor, order in zip(self.predictors, self._orders, strict=True)
        )
        return torch.stack(list(answers)).mean(dim=0)


def _mean_decision(predictors: Sequence[Predictor]) -> Decision:
    thresholds = [p.decision.thresholds_of(len(p.classes)) for p in predictors]
    mean = tuple(sum(t) / len(t) for t in zip(*thresholds, strict=True))
    return Decision(predictors[0].decision.task, mean)
