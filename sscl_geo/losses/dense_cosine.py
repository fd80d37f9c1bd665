"""Agreement of dense features at the same ground point."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DenseCosineLoss(nn.Module):
    """Mean negative cosine between features of matched cells.

    ``L = - sum_i w_i cos(p_i, t_i) / sum_i w_i`` over all cells of a batch, where ``t_i`` is the
    target feature of the other view at cell i's ground point. It serves the spatial term of the
    consistency branch with the predicted features, and the semantic term with propagated ones. The
    form is BYOL's (Grill et al., 2020, equation 2) up to a constant; that the paper uses it for its
    branches is inferred. 0 with zero gradient, not NaN, where no cell counts.

    Example:
        >>> import torch
        >>> from sscl_geo.losses.dense_cosine import DenseCosineLoss
        >>> features = torch.randn(2, 8, 4, 4)
        >>> loss = DenseCosineLoss()(features, features, torch.ones(2, 4, 4))
        >>> round(float(loss), 4)
        -1.0
    """

    def forward(self, online: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Compute the loss in float32.

        Args:
            online: features with gradient, shape (B, C, h, w).
            target: features of the other view, sampled at the same ground points, same shape.
            weight: shape (B, h, w), 0 where a cell has no counterpart.

        Returns:
            scalar.
        """
        with torch.autocast(online.device.type, enabled=False):
            cosine = F.cosine_similarity(online.float(), target.float().detach(), dim=1)
            weight = weight.float()
            return -(cosine * weight).sum() / weight.sum().clamp(min=1)
