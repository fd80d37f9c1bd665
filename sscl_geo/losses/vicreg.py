"""Agreement of features that belong together, kept apart by their variance and covariance."""

import torch
import torch.nn.functional as F
from lightly.utils.dist import gather, world_size
from torch import Tensor, nn


class VICRegLoss(nn.Module):
    """Variance, invariance and covariance terms (Bardes et al., ICLR 2022, equation 6).

    The value of lightly's ``VICRegLoss`` where all weights are 1. Here rows without a counterpart
    can be left out, and the diagonal of the covariance is subtracted, not left out by a boolean
    index, for which the host waits.

    Args:
        invariance: weight of the mean squared difference.
        variance: weight of the hinge that keeps each channel's standard deviation above 1.
        covariance: weight of the squared covariances between channels.

    Example:
        >>> import torch
        >>> from sscl_geo.losses.vicreg import VICRegLoss
        >>> features = torch.randn(16, 8)
        >>> bool(VICRegLoss()(features, features, torch.ones(16)) > 0)
        True
    """

    def __init__(
        self, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
    ) -> None:
        super().__init__()
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance

    def forward(self, a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
        """Compute the loss in float32; variance and covariance over the rows of all devices.

        Args:
            a: features, shape (N, C) or (N, C, ...).
            b: features of the other view, same shape.
            weight: shape (N) or (N, ...), 0 where a row or a cell has no counterpart.

        Returns:
            scalar; 0 with zero gradient where less than two rows count.
        """
        with torch.autocast(a.device.type, enabled=False):
            a, b = (x.float().movedim(1, -1).flatten(0, -2) for x in (a, b))
            weight = weight.float().flatten()
            difference = ((a - b).square().mean(dim=1) * weight).sum() / weight.sum().clamp(min=1)
            if world_size() > 1:
                a, b, weight = (torch.cat(gather(x)) for x in (a, b, weight))
            spread = self._spread(a, weight) + self._spread(b, weight)
            counts = (weight.sum() > 1).float()
            return self.invariance * difference + counts * spread

    def _spread(self, rows: Tensor, weight: Tensor) -> Tensor:
        """Half the variance term and the covariance term of one side."""
        freedom = (weight.sum() - 1).clamp(min=1)
        weight = weight[:, None]
        centered = rows - (rows * weight).sum(dim=0) / weight.sum().clamp(min=1)
        covariance = centered.mT @ (centered * weight) / freedom
        variances = covariance.diagonal()
        hinge = F.relu(1 - (variances + 1e-4).sqrt()).mean()
        off_diagonal = (covariance.square().sum() - variances.square().sum()) / rows.shape[1]
        return 0.5 * self.variance * hinge + self.covariance * off_diagonal
