"""All levels of an encoder at once, for each cell."""

import torch
import torch.nn.functional as F
from torch import Tensor


def hypercolumns(features: list[Tensor], stride: int) -> Tensor:
    """Stack the deeper levels of an encoder at one stride (Hariharan et al., 2015).

    Each level is scaled to unit length in each cell, so that none drowns the others, and enlarged
    bilinearly about cell centres.

    Args:
        features: an encoder's features at strides 1, 2, 4 …, shapes (B, C_i, h_i, w_i); levels
            without channels are left out.
        stride: stride of the result; finer levels are left out.

    Returns:
        float32 of shape (B, D, h, w), D the sum of the levels' channels.
    """
    levels = [f for i, f in enumerate(features) if 2**i >= stride and f.shape[1]]
    size = levels[0].shape[-2:]
    unit = [F.normalize(level.float(), dim=1) for level in levels]
    return torch.cat(
        [F.interpolate(u, size=size, mode="bilinear", align_corners=False) for u in unit], dim=1
    )
