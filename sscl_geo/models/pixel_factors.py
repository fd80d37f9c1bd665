"""Functions of single pixels that agree between neighbours: spatial consistency in closed form."""

import math
from collections.abc import Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WAVES = 400
"""Random Fourier features; with the bands themselves they are all that factors are made of."""

FOURIER_SCALE = 0.5
"""Deviation of the frequencies, over the root of the number of bands."""

_PIXELS_ON_CPU = 1 << 13
"""Pixels whose Fourier features are held at once: as many as the cache takes."""

_PIXELS_ON_DEVICE = 1 << 18
"""The same on a GPU, which wants much to do at once."""


class PixelFactors(nn.Module):
    """What of a pixel's spectrum agrees best between points that lie near each other.

    Linear combinations of the bands and their random Fourier features (Rahimi and Recht, 2007).
    They are 0 until weights are loaded; some are learned by
    :class:`~sscl_geo.models.learned_factors.LearnedFactors`.

    Args:
        bands: number of bands.
        factors: number of factors.

    Example:
        >>> import torch
        >>> from sscl_geo.models.pixel_factors import PixelFactors
        >>> PixelFactors(bands=4, factors=2)(torch.randn(1, 4, 32, 32)).shape
        torch.Size([1, 2, 32, 32])
    """

    def __init__(self, bands: int, factors: int) -> None:
        super().__init__()
        self.waves = nn.Buffer(torch.randn(WAVES, bands) * (FOURIER_SCALE / math.sqrt(bands)))
        self.phases = nn.Buffer(torch.rand(WAVES) * (2 * math.pi))
        self.axes = nn.Buffer(torch.zeros(factors, bands + WAVES))
        self.offset = nn.Buffer(torch.zeros(factors))

    @classmethod
    def of_weights(cls, weights: Mapping[str, Tensor]) -> Self:
        """Take the weights of factors that were learned."""
        found = cls(weights["waves"].shape[1], len(weights["offset"]))
        found.load_state_dict(dict(weights))
        return found

    def forward(self, image: Tensor) -> Tensor:
        """Factors of each pixel of normalised images.

        Args:
            image: shape (B, C, H, W).

        Returns:
            float32 of shape (B, factors, H, W); of zero mean and, the first ones most, of a
            deviation near to 1 over ground like that learned from.
        """
        with torch.autocast(image.device.type, enabled=False):
            image = image.float()
            if torch.compiler.is_compiling():  # sizes may be open
                return self._factors(image)
            pixels = _PIXELS_ON_CPU if image.device.type == "cpu" else _PIXELS_ON_DEVICE
            rows = max(1, pixels // max(1, len(image) * image.shape[-1]))
            return torch.cat([self._factors(part) for part in image.split(rows, dim=-2)], dim=-2)

    def _factors(self, image: Tensor) -> Tensor:
        bands = image.shape[1]
        waves = torch.cos(F.conv2d(image, self.waves[:, :, None, None], self.phases))
        kernel = self.axes[:, :, None, None]
        return F.conv2d(image, kernel[:, :bands], self.offset) + F.conv2d(waves, kernel[:, bands:])
