"""What all random radiometric changes share."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class RandomChange(nn.Module, ABC):
    """Change a share of the views of a batch, drawn anew for each batch.

    Exactly the share ``p`` of the views (rounded, at least one) is changed: their number is known
    without asking the device, so that the host never waits and unchanged views cost nothing. Which
    views these are, and how much each changes, is drawn on the device.

    Args:
        p: share of the views, 0 to 1.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Change some views.

        Args:
            image: float of shape (N, C, H, W), normalised; any finite value where not valid.
            valid: bool of shape (N, H, W).

        Returns:
            the same shape; meaningless where not valid.
        """
        views = len(image)
        count = max(1, round(self.p * views)) if self.p > 0 else 0
        if count == 0:
            return image
        if count == views:
            return self.change(image, valid)
        chosen = torch.rand(views, device=image.device).topk(count).indices
        return image.index_copy(0, chosen, self.change(image[chosen], valid[chosen]))

    @abstractmethod
    def change(self, image: Tensor, valid: Tensor) -> Tensor:
        """Change all views of (N, C, H, W), each with its own draw."""


def uniform(image: Tensor, low: float, high: float, *shape: int) -> Tensor:
    """Numbers between low and high on an image's device, shape (N, *shape)."""
    draw = torch.rand(len(image), *shape, device=image.device, dtype=image.dtype)
    return low + (high - low) * draw
