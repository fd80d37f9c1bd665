"""Spectral features that change slowly over the ground, learned without labels or a network."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_PAIRS = 30_000
_FOURIER = 400
_SCALE = 0.5
_RIDGE = 1e-3
_CHUNK = 20_000


def autocorrelation_factors(
    bands: Tensor, seen: NDArray[np.bool_], distance: float, components: int, seed: int = 0
) -> Tensor:
    """Functions of a pixel's spectrum that agree best between a pixel and its neighbours.

    What spatial consistency asks of features, in closed form: of the bands and their random Fourier
    features (Rahimi and Recht, 2007), the linear combinations with the greatest correlation between
    pixels a small distance apart, one after the other, as minimum/maximum autocorrelation factors
    have it (Switzer and Green, 1984). Each is scaled by that correlation, so that what is mostly
    noise counts little. No feature sees more than its own pixel.

    Args:
        bands: shape (C, H, W), standardised.
        seen: pixels to learn from, shape (H, W).
        distance: greatest distance of neighbours, in pixels.
        components: number of factors.
        seed: seed of the Fourier features and of the pairs of pixels.

    Returns:
        shape (components, H, W), of zero mean over the pixels learned from.
    """
    draw = np.random.default_rng(seed)
    channels = len(bands)
    waves = torch.from_numpy(draw.normal(0, _SCALE / math.sqrt(channels), (channels, _FOURIER)))
    phases = torch.from_numpy(draw.uniform(0, 2 * math.pi, _FOURIER))

    def expand(spectra: Tensor) -> Tensor:
        spectra = spectra.double()
        return torch.cat([spectra, torch.cos(spectra @ waves + phases)], dim=1)

    spectra = bands.flatten(1).mT
    here, there = (expand(spectra[at]) for at in _neighbours(seen, distance, draw))
    mean = (here.mean(dim=0) + there.mean(dim=0)) / 2
    here, there = here - mean, there - mean
    alone = (here.mT @ here + there.mT @ there) / 2
    shared = (here.mT @ there + there.mT @ here) / 2
    ridge = _RIDGE * alone.diagonal().mean() * torch.eye(len(alone), dtype=alone.dtype)
    # Whitened, the best combinations are the first eigenvectors of what neighbours share.
    whiten = torch.linalg.inv(torch.linalg.cholesky(alone + ridge))
    correlations, axes = torch.linalg.eigh(whiten @ shared @ whiten.mT)
    best = correlations.flip(0)[:components].clamp(min=0)
    axes = whiten.mT @ axes.flip(1)[:, :components] * best * math.sqrt(len(here))
    factors = torch.cat([(expand(chunk) - mean) @ axes for chunk in spectra.split(_CHUNK)])
    return factors.mT.float().reshape(-1, *bands.shape[1:])


def _neighbours(
    seen: NDArray[np.bool_], distance: float, draw: np.random.Generator
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Flat indices of pairs of pixels, both seen, at most a distance apart."""
    at = np.argwhere(seen)
    here = at[draw.integers(0, len(at), 2 * _PAIRS)]
    angle = draw.uniform(0, 2 * math.pi, len(here))
    # The root spreads the second pixel evenly over the disc.
    radius = distance * np.sqrt(draw.uniform(0, 1, len(here)))
    steps = np.stack([np.sin(angle), np.cos(angle)], axis=1) * radius[:, None]
    there = here + np.rint(steps).astype(np.int_)
    both = (here != there).any(axis=1)
    inside = (there >= 0).all(axis=1) & (there < seen.shape).all(axis=1)
    both &= inside
    both[inside] &= seen[tuple(there[inside].T)]
    here, there = here[both][:_PAIRS], there[both][:_PAIRS]
    width = seen.shape[1]
    return here @ (width, 1), there @ (width, 1)
