"""Pixel factors beside a segmentation network: what it sees of single pixels and around them."""

from typing import Any

import torch
from torch import Tensor, nn

from sscl_geo.models.pixel_factors import PixelFactors
from sscl_geo.models.surroundings import WINDOWS, with_surroundings


def add_pixel_head(network: nn.Module, in_channels: int, classes: int, factors: int) -> None:
    """Let a network see pixel factors too, through a linear classifier that adds to its logits.

    The classifier sees the factors at full resolution with their means and deviations in two
    windows, see :func:`~sscl_geo.models.surroundings.with_surroundings`. It begins with zeros, so
    that the network says all at first. Factors are not trained here; they lie under
    ``pixel_factors``, the classifier under ``pixel_head``, and no name of the network changes.

    Args:
        network: maps normalised images (B, C, H, W) to logits (B, K, H, W).
        in_channels: C.
        classes: K.
        factors: number of factors.
    """
    network.pixel_factors = PixelFactors(in_channels, factors)
    head = nn.Conv2d(factors * (1 + 2 * len(WINDOWS)), classes, 1)
    for parameter in head.parameters():
        nn.init.zeros_(parameter)
    network.pixel_head = head
    network.register_forward_hook(_add)


@torch.no_grad()
def pixel_head_features(network: Any, image: Tensor) -> Tensor:
    """What the classifier sees of normalised images (B, C, H, W): shape (B, D, H, W)."""
    return with_surroundings(network.pixel_factors(image))


def _add(network: Any, images: tuple[Tensor], logits: Tensor) -> Tensor:
    return logits + network.pixel_head(pixel_head_features(network, images[0]))
