"""Sensor noise."""

import torch
from torch import Tensor

from sscl_geo.transforms.random_change import RandomChange, uniform


class RandomNoise(RandomChange):
    """Add Gaussian noise, independent for each pixel and band.

    Args:
        std: greatest standard deviation, in those of the bands.
        p: share of views.
    """

    def __init__(self, std: float = 0.1, p: float = 0.3) -> None:
        super().__init__(p)
        self.std = std

    def change(self, image: Tensor, valid: Tensor) -> Tensor:  # noqa: ARG002 - all changes take it
        """Add noise to all views (N, C, H, W)."""
        return image + uniform(image, 0, self.std, 1, 1, 1) * torch.randn_like(image)
