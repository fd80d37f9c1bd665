"""Learning pixel factors from pairs of neighbours, without a gradient."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sscl_geo.models.pixel_factors import PixelFactors

_RIDGE = 1e-3
_LEAST_RIDGE = 1e-4


class LearnedFactors(PixelFactors):
    """Pixel factors with what they are learned from.

    The best that spatial consistency can do at the resolution of single pixels, without a gradient:
    of the bands and their random Fourier features, the linear combinations with the greatest
    correlation between a pixel and a neighbour, one after the other, as minimum/maximum
    autocorrelation factors have it (Switzer and Green, 1984). Each is scaled by that correlation,
    so that noise counts little. Networks with a receptive field cannot learn this: fields of
    neighbours share pixels, and what they share agrees whatever it means.

    :meth:`learn` gathers moments of pairs of spectra, :meth:`solve` makes the factors of all that
    were gathered; before that all factors are 0.

    Args:
        bands: number of bands.
        factors: number of factors.

    Example:
        >>> import torch
        >>> from sscl_geo.models.learned_factors import LearnedFactors
        >>> ground = torch.randn(500, 4)
        >>> found = LearnedFactors(bands=4, factors=2)
        >>> found.learn(ground, ground + 0.1 * torch.randn(500, 4), torch.ones(500))
        >>> found.solve()
        >>> found(torch.randn(1, 4, 32, 32)).shape
        torch.Size([1, 2, 32, 32])
    """

    def __init__(self, bands: int, factors: int) -> None:
        super().__init__(bands, factors)
        size = self.axes.shape[1]
        # Sums over both members of all pairs; products of a pair with itself and with its partner.
        self.count = nn.Buffer(torch.zeros(()))
        self.total = nn.Buffer(torch.zeros(size))
        self.alone = nn.Buffer(torch.zeros(size, size))
        self.shared = nn.Buffer(torch.zeros(size, size))

    def weights(self) -> dict[str, Tensor]:
        """The weights of the factors alone, as :class:`PixelFactors` has them."""
        return {name: getattr(self, name) for name in ("waves", "phases", "axes", "offset")}

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

    def _expand(self, spectra: Tensor) -> Tensor:
        return torch.cat([spectra, torch.cos(F.linear(spectra, self.waves, self.phases))], dim=1)
