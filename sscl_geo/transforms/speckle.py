"""Speckle of radar images."""

import math

import torch
from torch import Tensor
from torch.distributions import Gamma

from sscl_geo.transforms.random_change import RandomChange, uniform


class RandomSpeckle(RandomChange):
    """Multiply radar intensities by speckle: a gamma variable of mean 1 and so many looks.

    Fully developed speckle of an L-look intensity image is Gamma(L, 1/L) (Goodman, 1976). For
    images in decibels it adds ``10 log10`` of it, less its mean.

    Args:
        mean: mean of each band, raw units.
        std: standard deviation of each band, raw units.
        looks: least and greatest number of looks; few give much speckle.
        decibel: bands are in decibels, not intensities.
        p: share of views.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        looks: tuple[float, float] = (4.0, 32.0),
        decibel: bool = False,
        p: float = 0.5,
    ) -> None:
        super().__init__(p)
        scale = torch.tensor([s if s > 0 else 1.0 for s in std])
        self.looks = looks
        self.decibel = decibel
        self.register_buffer("mean", (torch.tensor(mean) / scale)[:, None, None], persistent=False)
        self.register_buffer("std", scale[:, None, None], persistent=False)

    def change(self, image: Tensor, valid: Tensor) -> Tensor:  # noqa: ARG002 - all changes take it
        """Speckle all views (N, C, H, W)."""
        looks = uniform(image, *self.looks, 1, 1, 1).expand_as(image)
        factor = Gamma(looks, looks, validate_args=False).sample()
        if not self.decibel:
            return image * factor + self.mean * (factor - 1)
        bel = factor.clamp(min=1e-6).log() - (torch.digamma(looks) - looks.log())
        return image + 10 / math.log(10) * bel / self.std
