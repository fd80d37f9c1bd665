"""What lies around each pixel, without a network."""

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOWS = (5, 15)
"""Sides of the windows, in pixels."""


def with_surroundings(image: Tensor) -> Tensor:
    """An image, and its means and deviations in windows of 5 and 15 pixels.

    Beyond its border an image goes on as in a mirror.

    Args:
        image: shape (B, C, H, W), float32; H and W 8 at least.

    Returns:
        shape (B, 5 C, H, W): the image, the means of the small windows, their deviations, and the
        same of the large ones.

    Example:
        >>> import torch
        >>> from sscl_geo.models.surroundings import with_surroundings
        >>> with_surroundings(torch.zeros(1, 4, 32, 32)).shape
        torch.Size([1, 20, 32, 32])
    """
    reach = max(WINDOWS) // 2
    padded = F.pad(image, [reach] * 4, mode="reflect")
    means = zip(_window_means(padded), _window_means(padded.square()), strict=True)
    found = [image]
    for mean, square in means:
        found += [mean, (square - mean.square()).clamp(min=0).sqrt()]
    return torch.cat(found, dim=1)


def _window_means(padded: Tensor) -> tuple[Tensor, Tensor]:
    """Means in windows of 5 and 15 of an image that is padded by 7."""
    small, large = WINDOWS
    across = _sum(padded, small, 1, dim=-1)
    # Fifteen are three times five; sums of shifted images are ten times as fast as pooling.
    both = _sum(_sum(across, 3, small, dim=-1), small, 1, dim=-2)
    wide = _sum(both, 3, small, dim=-2)
    inner = (large - small) // 2
    near = _sum(across[..., inner:-inner, inner:-inner], small, 1, dim=-2)
    return near / small**2, wide / large**2


def _sum(image: Tensor, count: int, step: int, dim: int) -> Tensor:
    """Sums of ``count`` pixels that lie ``step`` apart; the result is as much smaller."""
    size = image.shape[dim] - (count - 1) * step
    total = image.narrow(dim, 0, size) + image.narrow(dim, step, size)
    for i in range(2, count):
        total += image.narrow(dim, i * step, size)
    return total
