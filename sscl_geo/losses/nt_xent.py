"""Agreement of the views of a pair, against the other views of the batch."""

import torch
import torch.nn.functional as F
from lightly.utils.dist import gather, rank, world_size
from torch import Tensor, nn


class NTXentLoss(nn.Module):
    """Tell each view's partner from all other views of a batch (SimCLR; Chen et al., 2020).

    The value of lightly's ``NTXentLoss`` without a memory bank. Lightly removes a view's similarity
    to itself by a boolean index, for which the host waits; here it is masked.

    Args:
        temperature: divides the cosines.

    Example:
        >>> import torch
        >>> from sscl_geo.losses.nt_xent import NTXentLoss
        >>> a, b = torch.randn(4, 8), torch.randn(4, 8)
        >>> bool(NTXentLoss()(a, b, torch.ones(4)) > 0)
        True
    """

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
        """Compute the loss in float32, over the views of all devices.

        Args:
            a: features of the first views, shape (B, C).
            b: features of the second views, same shape.
            weight: shape (B), 0 for pairs that have no data; such pairs are no negatives either.

        Returns:
            scalar; 0 with zero gradient where nothing counts.
        """
        with torch.autocast(a.device.type, enabled=False):
            own = F.normalize(torch.cat([a, b]).float(), dim=1)
            own_weight = weight.float().repeat(2)
            everyone, counts = own, own_weight
            if world_size() > 1:
                everyone, counts = torch.cat(gather(own)), torch.cat(gather(own_weight))
            rows = torch.arange(len(own), device=own.device)
            itself = rows + rank() * len(own)
            partner = rows.roll(len(a)) + rank() * len(own)
            columns = torch.arange(len(everyone), device=own.device)
            left_out = (columns == itself[:, None]) | (
                (counts == 0) & (columns != partner[:, None])
            )
            logits = (own @ everyone.mT / self.temperature).masked_fill(left_out, -torch.inf)
            loss = torch.logsumexp(logits, dim=1) - logits.gather(1, partner[:, None])[:, 0]
            return (loss * own_weight).sum() / own_weight.sum().clamp(min=1)
