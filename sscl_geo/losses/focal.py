"""Focal loss over the classes of a softmax, with class weights."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FocalLoss(nn.Module):
    """Cross-entropy that looks away from pixels which are classified well (Lin et al., 2017).

    A pixel of class k with probability p counts ``w_k (1 - p)^gamma (-log p)``, and the loss is the
    sum over the labelled pixels divided by that of their ``w_k``. So with ``gamma=0`` it is the
    cross-entropy with the same weights, and a mix of both is of one scale. The loss of
    segmentation-models-pytorch, TorchGeo's, compares each class with the rest instead; normalised,
    it is divided by the number of pixels twice, which leaves nothing of it beside another loss.

    Args:
        gamma: how strongly it looks away; 2 in the paper; not between 0 and 1, where its gradient
            has no bound.
        ignore_index: class index of pixels without a label.
        weight: weight of each class; 1 if None.

    Example:
        >>> import torch
        >>> from sscl_geo.losses.focal import FocalLoss
        >>> logits, mask = torch.zeros(1, 4, 8, 8), torch.zeros(1, 8, 8, dtype=torch.long)
        >>> round(float(FocalLoss()(logits, mask)), 4)  # 0.75 ** 2 * log(4)
        0.7798
    """

    weight: Tensor | None

    def __init__(
        self, gamma: float = 2.0, ignore_index: int = 255, weight: Tensor | None = None
    ) -> None:
        super().__init__()
        self.gamma = gamma
        self.ignore_index = ignore_index
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            logits: shape (B, K, H, W).
            mask: class indices (B, H, W).

        Returns:
            scalar; 0 if all labelled pixels together weigh nothing.
        """
        surprise = F.cross_entropy(logits, mask, ignore_index=self.ignore_index, reduction="none")
        known = mask != self.ignore_index
        # Each pixel's weight, 0 where there is no label.
        weight = known.to(logits.dtype)
        if self.weight is not None:
            weight = weight * self.weight.to(logits.dtype)[mask.where(known, 0)]
        # 1 - p without the rounding of a p near 1.
        focus = (-torch.expm1(-surprise)) ** self.gamma
        total = weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
        return (weight * focus * surprise).sum() / total
