"""Spectral features that change slowly over the ground, learned without labels or a network."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sscl_geo.models.learned_factors import LearnedFactors
from sscl_geo.models.pixel_factors import FOURIER_SCALE

_PAIRS = 30_000


def autocorrelation_factors(
    bands: Tensor, seen: NDArray[np.bool_], distance: float, components: int, seed: int = 0
) -> Tensor:
    """Functions of a pixel's spectrum that agree best between a pixel and its neighbours.

    :class:`~sscl_geo.models.learned_factors.LearnedFactors` of all that may be seen, not of the
    pairs of a pretraining.

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
    factors = LearnedFactors(len(bands), components)
    # Drawn here, so that the random numbers of the caller are left alone.
    count, channels = factors.waves.shape
    waves = draw.normal(0, FOURIER_SCALE / math.sqrt(channels), (channels, count)).T
    factors.waves.copy_(torch.from_numpy(waves))
    factors.phases.copy_(torch.from_numpy(draw.uniform(0, 2 * math.pi, count)))
    spectra = bands.flatten(1).mT
    here, there = _neighbours(seen, distance, draw)
    factors.learn(spectra[here], spectra[there], torch.ones(len(here)))
    factors.solve()
    return factors(bands[None])[0]


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
