"""Agreement of features that belong together, against a queue of others."""

import torch
import torch.nn.functional as F
from lightly.models.utils import concat_all_gather
from lightly.utils.dist import world_size
from torch import Tensor, nn

from sscl_geo.errors import ConfigError


class InfoNCELoss(nn.Module):
    """Find the target among a queue of features of other views (MoCo; He et al., 2020, equation 1).

    ``L = - log(exp(cos(p, t) / T) / (exp(cos(p, t) / T) + sum_k exp(cos(p, n_k) / T)))``, weighted
    mean over rows. With one row a view it is the loss of MoCo v2, and lightly's ``NTXentLoss`` with
    a memory bank gives the same; with one row a cell it is the dense loss of DenseCL. Unlike
    lightly's bank this one is part of the state dict, so that a training can go on exactly, and
    moves its pointer on the device, so that no step waits for it.

    Args:
        dim: channels of the features.
        queue_size: features that the queue holds; see :func:`queue_size_for`.
        temperature: divides the cosines; 0.2 in MoCo v2 and DenseCL.

    Raises:
        ConfigError: if one of them is not above 0.

    Example:
        >>> import torch
        >>> from sscl_geo.losses.info_nce import InfoNCELoss
        >>> loss = InfoNCELoss(dim=8, queue_size=64)
        >>> online, target = torch.randn(4, 8), torch.randn(4, 8)
        >>> bool(loss(online, target, torch.ones(4)) > 0)
        True
        >>> loss.enqueue(target)
    """

    queue: Tensor
    pointer: Tensor

    def __init__(self, dim: int, queue_size: int = 4096, temperature: float = 0.2) -> None:
        if queue_size < 1 or temperature <= 0:
            raise ConfigError(
                f"InfoNCE with a queue of {queue_size} and temperature {temperature} is impossible;"
                " both must be above 0."
            )
        super().__init__()
        self.temperature = temperature
        self.register_buffer("queue", F.normalize(torch.randn(queue_size, dim), dim=1))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))

    def forward(self, online: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Compute the loss in float32.

        Args:
            online: features with gradient, shape (N, C) or (N, C, ...).
            target: features of the other view, same shape; gets no gradient.
            weight: shape (N) or (N, ...), 0 where a row or a cell has no counterpart.

        Returns:
            scalar; 0 with zero gradient where nothing counts.
        """
        with torch.autocast(online.device.type, enabled=False):
            rows = F.normalize(online.float().movedim(1, -1).flatten(0, -2), dim=1)
            matched = F.normalize(target.detach().float().movedim(1, -1).flatten(0, -2), dim=1)
            positive = (rows * matched).sum(dim=1, keepdim=True)
            # A copy: enqueuing comes before the backward pass.
            logits = torch.cat([positive, rows @ self.queue.clone().mT], dim=1) / self.temperature
            loss = torch.logsumexp(logits, dim=1) - logits[:, 0]
            weight = weight.float().flatten()
            return (loss * weight).sum() / weight.sum().clamp(min=1)

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Replace the oldest features of the queue by those of a step, of all devices.

        Args:
            keys: target features, shape (M, C).
        """
        keys = F.normalize(keys.float(), dim=1)
        if world_size() > 1:
            keys = concat_all_gather(keys)
        keys = keys[: len(self.queue)]
        places = (self.pointer + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        self.queue.index_copy_(0, places, keys)
        self.pointer.add_(len(keys)).remainder_(len(self.queue))


def queue_size_for(views: int, most: int = 16384) -> int:
    """Size of a queue for so many distinct views: the power of 2 between a quarter and half of it.

    A longer queue holds other views of the ground that a row must not be told apart from.

    Args:
        views: number of views in the data that do not overlap, about area over area of a view.
        most: greatest size; longer queues cost more than they give.

    Example:
        >>> from sscl_geo.losses.info_nce import queue_size_for
        >>> queue_size_for(3000)
        1024
    """
    return min(most, 2 ** max(1, (views // 2).bit_length() - 1))
