"""Test-time augmentation: a predictor asked about every flip and turn of a tile."""

import torch
from torch import Tensor, nn

from sscl_geo.io.units import BandUnits
from sscl_geo.models.ensemble import EnsemblePredictor
from sscl_geo.models.predictor import Predictor

_VIEWS = tuple((turns, flipped) for flipped in (False, True) for turns in range(4))


class AugmentedPredictor(nn.Module):
    """Averages a predictor's answers to the eight flips and turns of each tile.

    Overhead images have no up: a network should say the same of a tile and its mirror image. Where
    it does not, the mean is the better answer. It takes eight times as long.

    Args:
        predictor: gives probabilities.
    """

    def __init__(self, predictor: Predictor | EnsemblePredictor) -> None:
        super().__init__()
        self.predictor = predictor
        self.bands, self.classes = predictor.bands, predictor.classes
        self.stride, self.decision = predictor.stride, predictor.decision

    def in_units(self, units: BandUnits, path: str) -> "AugmentedPredictor":
        """The predictor for scenes in other units; see :meth:`Predictor.in_units`."""
        return AugmentedPredictor(self.predictor.in_units(units, path))

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Mean probabilities of a batch.

        Args:
            image: float32 of shape (B, C, H, W), raw units, H = W.
            valid: bool of shape (B, H, W).

        Returns:
            float32 of shape (B, K, H, W).
        """
        total = self.predictor(image, valid)
        for turns, flipped in _VIEWS[1:]:
            seen = self.predictor(_turn(image, turns, flipped), _turn(valid, turns, flipped))
            total = total + _turn_back(seen, turns, flipped)
        return total / len(_VIEWS)


def _turn(x: Tensor, turns: int, flipped: bool) -> Tensor:
    return torch.rot90(x.flip(-1) if flipped else x, turns, (-2, -1)).contiguous()


def _turn_back(x: Tensor, turns: int, flipped: bool) -> Tensor:
    turned = torch.rot90(x, -turns, (-2, -1))
    return turned.flip(-1) if flipped else turned
