"""Functions of single pixels that agree between neighbours: spatial consistency in closed form."""

import math
from collections.abc import Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WAVES = 400
FOURIER_SCALE = 0.5
"""Deviation of the frequencies, over the root of the number of bands."""

_RIDGE = 1e-3
_LEAST_RIDGE = 1e-4
_PIXELS_AT_ONCE = 1 << 18
_KEPT = ("waves", "phases", "axes", "offset")


class PixelFactors(nn.Module):
    """What of a pixel's spectrum agrees best between points that lie near each other.

    The best that spatial consistency can do at the resolution of single pixels, without a gradient:
    of the bands and their random Fourier features (Rahimi and Recht, 2007), the linear combinations
    with the greatest correlation between a pixel and a neighbour, one after the other, as
    minimum/maximum autocorrelation factors have it (Switzer and Green, 1984). Each is scaled by
    that correlation, so that noise counts little. Networks with a receptive field cannot learn
    this: fields of neighbours share pixels, and what they share agrees whatever it means.

    :meth:`learn` gathers moments of pairs of spectra, :meth:`solve` makes the factors of all that
    were gathered; before that all factors are 0.

    Args:
        bands: number of bands.
        factors: number of factors.

    Example:
        >>> import torch
        >>> from sscl_geo.models.pixel_factors import PixelFactors
        >>> ground = torch.randn(500, 4)
        >>> found = PixelFactors(bands=4, factors=2)
        >>> found.learn(ground, ground + 0.1 * torch.randn(500, 4), torch.ones(500))
        >>> found.solve()
        >>> found(torch.randn(1, 4, 32, 32)).shape
        torch.Size([1, 2, 32, 32])
    """

    def __init__(self, bands: int, factors: int) -> None:
        super().__init__()
        size = bands + _WAVES
        self.waves = nn.Buffer(torch.randn(_WAVES, bands) * (FOURIER_SCALE / math.sqrt(bands)))
        self.phases = nn.Buffer(torch.rand(_WAVES) * (2 * math.pi))
        self.axes = nn.Buffer(torch.zeros(factors, size))
        self.offset = nn.Buffer(torch.zeros(factors))
        # Sums over both members of all pairs; products of a pair with itself and with its partner.
        self.count = nn.Buffer(torch.zeros(()))
        self.total = nn.Buffer(torch.zeros(size))
        self.alone = nn.Buffer(torch.zeros(size, size))
        self.shared = nn.Buffer(torch.zeros(size, size))

    @classmethod
    def of_weights(cls, weights: Mapping[str, Tensor]) -> Self:
        """Take factors that were solved, see :meth:`weights`."""
        found = cls(weights["waves"].shape[1], len(weights["offset"]))
        found.load_state_dict(dict(weights), strict=False)
        return found

    def weights(self) -> dict[str, Tensor]:
        """All that the factors need once they are solved."""
        state = self.state_dict()
        return {name: state[name] for name in _KEPT}

    @torch.no_grad()
    def learn(self, here: Tensor, there: Tensor, weight: Tensor) -> None:
        """Gather pairs of spectra.

        Args:
            here: spectra, shape (N, C).
            there: those of their neighbours, same shape.
            weight: shape (N), 1 for a pair that counts, else 0.
        """
        with torch.autocast(here.device.type, enabled=False):
            a, b = (self._expand(x.float()) * weight[:, None] for x in (here, there))
            self.count += 2 * weight.sum()
            self.total += a.sum(dim=0) + b.sum(dim=0)
            self.alone += a.mT @ a + b.mT @ b
            self.shared += a.mT @ b + b.mT @ a

    @torch.no_grad()
    def solve(self) -> None:
        """Make the factors of what was gathered; they stay as they are where that is nothing."""
        count = float(self.count)
        if count < 2:
            return
        # Once a training and small, so that the CPU's float64 is as good as any.
        mean = self.total.double().cpu() / count
        outer = mean[:, None] * mean
        alone, shared = (x.double().cpu() / count - outer for x in (self.alone, self.shared))
        # Not below what rounding of the sums leaves of bands that are constant.
        ridge = (_RIDGE * alone.diagonal().mean()).clamp(min=_LEAST_RIDGE)
        ridge = ridge * torch.eye(len(alone), dtype=alone.dtype)
        # Whitened, the best combinations are the first eigenvectors of what neighbours share.
        whiten = torch.linalg.inv(torch.linalg.cholesky(alone + ridge))
        correlations, vectors = torch.linalg.eigh(whiten @ shared @ whiten.mT)
        best = correlations.flip(0)[: len(self.axes)].clamp(min=0)
        axes = (whiten.mT @ vectors.flip(1)[:, : len(self.axes)] * best).mT
        self.axes.copy_(axes)
        self.offset.copy_(-(axes @ mean))

    def forward(self, image: Tensor) -> Tensor:
        """Factors of each pixel of normalised images.

        Args:
            image: shape (B, C, H, W).

        Returns:
            float32 of shape (B, factors, H, W); of zero mean and, the first ones most, of a
            deviation near to 1 over ground like that learned from.
        """
        with torch.autocast(image.device.type, enabled=False):
            # Some rows at once: the Fourier features of a large image would not fit in memory.
            rows = max(1, _PIXELS_AT_ONCE // max(1, len(image) * image.shape[-1]))
            parts = [self._factors(part) for part in image.float().split(rows, dim=-2)]
        return torch.cat(parts, dim=-2)

    def _factors(self, image: Tensor) -> Tensor:
        bands = image.shape[1]
        waves = torch.cos(F.conv2d(image, self.waves[:, :, None, None], self.phases))
        kernel = self.axes[:, :, None, None]
        return F.conv2d(image, kernel[:, :bands], self.offset) + F.conv2d(waves, kernel[:, bands:])

    def _expand(self, spectra: Tensor) -> Tensor:
        return torch.cat([spectra, torch.cos(F.linear(spectra, self.waves, self.phases))], dim=1)
