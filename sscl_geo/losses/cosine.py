"""Agreement of features that belong together, without negatives."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CosineLoss(nn.Module):
    """Mean negative cosine between features that belong together.

    ``L = - sum_i w_i cos(p_i, t_i) / sum_i w_i`` over all rows, or all cells, of a batch, where
    ``t_i`` is the target feature of the other view: of the whole view, or at cell i's ground point.
    The form is BYOL's (Grill et al., 2020, equation 2) up to a constant. 0 with zero gradient, not
    NaN, where nothing counts.

    Example:
        >>> import torch
        >>> from sscl_geo.losses.cosine import CosineLoss
        >>> features = torch.randn(2, 8, 4, 4)
        >>> loss = CosineLoss()(features, features, torch.ones(2, 4, 4))
        >>> round(float(loss), 4)
        -1.0
    """

    def forward(self, online: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Compute the loss in float32.

        Args:
            online: features with gradient, shape (N, C) or (N, C, ...).
            target: features of the other view, same shape; gets no gradient.
            weight: shape (N) or (N, ...), 0 where a row or a cell has no counterpart.

        Returns:
            scalar.
        """
        with torch.autocast(online.device.type, enabled=False):
            cosine = F.cosine_similarity(online.float(), target.detach().float(), dim=1)
            weight = weight.float()
            return -(cosine * weight).sum() / weight.sum().clamp(min=1)
