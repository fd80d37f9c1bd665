"""Features of every pixel: of a frozen encoder, or made by hand."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from experiments.autocorrelation_factors import autocorrelation_factors
from sscl_geo.bundle import Bundle
from sscl_geo.models.pixel_factors import PixelFactors
from sscl_geo.models.surroundings import with_surroundings

_STRIDE = 32
_NEAR, _FACTORS = 4.0, 20
_SAMPLE = 8000
"""Training pixels that principal components and scales are computed from."""


@torch.no_grad()
def encoder_features(
    encoder: nn.Module, image: Tensor, seen: NDArray[np.bool_], components: int
) -> Tensor:
    """Principal components of all levels of an encoder, interpolated to each pixel.

    Each cell of each level is scaled to unit length, so that no level drowns the others. The
    components are those of the training part, without labels, in their natural scale: with few
    labels, a probe of all channels at equal scale learns their noise.

    Args:
        encoder: gives features at strides 1, 2, 4 ….
        image: the whole scene, shape (C, H, W), standardised.
        seen: the training part, shape (H, W).
        components: number of components.

    Returns:
        shape (components, H, W); the first component has a standard deviation of 1.
    """
    height, width = image.shape[-2:]
    pad = [0, -width % _STRIDE, 0, -height % _STRIDE]
    device = next(encoder.parameters()).device
    levels = [
        F.normalize(level.float(), dim=1)
        for level in encoder(F.pad(image[None], pad, mode="reflect").to(device))[1:]
        if level.shape[1]
    ]
    size = height + pad[3], width + pad[1]
    at = _draw(seen)
    grid = (torch.from_numpy(at[:, ::-1].copy()).float() + 0.5) * 2
    grid = (grid / torch.tensor([size[1], size[0]]) - 1).to(device)[None, None]
    columns = [
        F.grid_sample(level, grid, padding_mode="border", align_corners=False)[0, :, 0]
        for level in levels
    ]
    known = torch.cat(columns).mT
    mean = known.mean(dim=0)
    axes = torch.linalg.svd(known - mean, full_matrices=False).Vh[:components]
    scale = (known @ axes[0]).std()
    result = -(axes @ mean)[None, :, None, None].expand(1, -1, *size).clone()
    start = 0
    for level in levels:
        # Projecting and interpolating are both linear, so that the cheaper one comes first.
        part = axes[:, start : start + level.shape[1]]
        start += level.shape[1]
        projected = F.conv2d(level, part[:, :, None, None])
        result += F.interpolate(projected, size=size, mode="bilinear", align_corners=False)
    return (result[0, :, :height, :width] / scale).cpu()


def hand_made_features(image: Tensor, seen: NDArray[np.bool_]) -> Tensor:
    """The bands, and their means and deviations in windows of 5 and 15 pixels, standardised.

    Args:
        image: the whole scene, shape (C, H, W), standardised.
        seen: the training part, shape (H, W).

    Returns:
        shape (5 C, H, W).
    """
    features = with_surroundings(image[None])[0]
    known = take(features, _draw(seen))
    mean, std = known.mean(dim=0), known.std(dim=0).clamp(min=1e-6)
    return (features - mean[:, None, None]) / std[:, None, None]


def factor_features(image: Tensor, seen: NDArray[np.bool_]) -> Tensor:
    """Autocorrelation factors of the spectrum, and their means and deviations in the same windows.

    Args:
        image: the whole scene, shape (C, H, W), standardised.
        seen: the training part, shape (H, W).

    Returns:
        shape (100, H, W), in their natural scale: noisy factors count little.
    """
    return with_surroundings(autocorrelation_factors(image, seen, _NEAR, _FACTORS)[None])[0]


@torch.no_grad()
def pixel_features(bundle: Bundle, image: Tensor) -> Tensor:
    """Pixel factors of a bundle, and their means and deviations in the same windows.

    Args:
        bundle: of an encoder that was pretrained with pixel factors.
        image: the whole scene, shape (C, H, W), standardised.

    Returns:
        shape (5 F, H, W) for F factors, in their natural scale.
    """
    factors = PixelFactors.of_weights(bundle.pixel_factor_weights)
    return with_surroundings(factors(image[None]))[0]


def take(features: Tensor, at: NDArray[np.int_]) -> Tensor:
    """Features (N, D) at pixels (N, 2), (row, col)."""
    rows, cols = torch.from_numpy(at).T
    return features[:, rows, cols].mT


def _draw(seen: NDArray[np.bool_]) -> NDArray[np.int_]:
    at = np.argwhere(seen)
    return at[np.random.default_rng(0).permutation(len(at))[:_SAMPLE]]
