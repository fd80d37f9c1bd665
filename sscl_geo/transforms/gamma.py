"""Tone curves."""

import torch
from torch import Tensor

from sscl_geo.transforms.random_change import RandomChange, uniform


class RandomGamma(RandomChange):
    """Bend the tone curve of a view: ``u -> u^gamma`` for u from 0 to 1.

    0 and 1 stand for 4 standard deviations below and above a band's mean; what lies beyond stays as
    it is, so the curve has no jump and clips nothing. The same for all bands.

    Args:
        gamma: greatest exponent; 1.3 draws exponents from 1/1.3 to 1.3.
        p: share of views.
    """

    def __init__(self, gamma: float = 1.3, p: float = 0.3) -> None:
        super().__init__(p)
        self.gamma = gamma

    def change(self, image: Tensor, valid: Tensor) -> Tensor:  # noqa: ARG002 - all changes take it
        """Bend all views (N, C, H, W)."""
        exponent = self.gamma ** uniform(image, -1, 1, 1, 1, 1)
        bent = (image.clamp(-4, 4) / 8 + 0.5) ** exponent * 8 - 4
        return torch.where(image.abs() < 4, bent, image)
