"""Features without a network, the baseline that studies hold frozen encoders against."""

import torch
import torch.nn.functional as F
from torch import Tensor

_WINDOWS = (5, 15)


def bands_and_surroundings(bands: Tensor) -> Tensor:
    """The bands, and their means and deviations in windows of 5 and 15 pixels.

    Args:
        bands: shape (B, C, H, W).

    Returns:
        shape (B, 5 C, H, W).
    """
    found = [bands]
    for size in _WINDOWS:
        padded = F.pad(bands, [size // 2] * 4, mode="reflect")
        mean = F.avg_pool2d(padded, size, 1)
        square = F.avg_pool2d(padded**2, size, 1)
        found += [mean, (square - mean**2).clamp(min=0).sqrt()]
    return torch.cat(found, dim=1)
