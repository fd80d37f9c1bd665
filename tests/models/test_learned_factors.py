"""Learned pixel factors are what agrees best between neighbours."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from sscl_geo.models.learned_factors import LearnedFactors
from sscl_geo.models.pixel_factors import PixelFactors

BANDS = 3


@pytest.fixture(scope="module")
def pairs() -> tuple[Tensor, Tensor]:
    """Spectra that share one band, another a little, and a third not at all."""
    torch.manual_seed(0)
    here, there = torch.randn(2, 4000, BANDS).unbind()
    there[:, 1] = here[:, 1] + 0.1 * torch.randn(4000)
    there[:, 0] = here[:, 0] + 0.7 * torch.randn(4000)
    return here, there


def learned(pairs: tuple[Tensor, Tensor], factors: int = 3) -> LearnedFactors:
    torch.manual_seed(1)
    found = LearnedFactors(BANDS, factors)
    found.learn(*pairs, torch.ones(len(pairs[0])))
    found.solve()
    return found


def as_image(spectra: Tensor) -> Tensor:
    return spectra.mT.reshape(1, BANDS, 40, -1)


def test_the_first_factor_is_what_neighbours_share(pairs) -> None:
    factor = learned(pairs)(as_image(pairs[0]))[0, 0].flatten()
    assert abs(np.corrcoef(factor, pairs[0][:, 1])[0, 1]) > 0.98


def test_factors_solve_the_generalised_eigenproblem(pairs) -> None:
    found = learned(pairs)
    with torch.no_grad():
        a, b = (found._expand(x).double().numpy() for x in pairs)
    mean = (a.mean(axis=0) + b.mean(axis=0)) / 2
    a, b = a - mean, b - mean
    alone = (a.T @ a + b.T @ b) / (2 * len(a))
    alone += 1e-3 * alone.diagonal().mean() * np.eye(len(alone))
    shared = (a.T @ b + b.T @ a) / (2 * len(a))
    values, vectors = scipy.linalg.eigh(shared, alone)
    for factor in range(3):
        expected = values[-1 - factor] * (a @ vectors[:, -1 - factor])
        factors = found(as_image(pairs[0]))[0, factor].flatten().numpy()
        sign = np.sign(factors @ expected)
        np.testing.assert_allclose(sign * factors, expected, rtol=1e-3, atol=2e-3)


def test_batches_add_up(pairs) -> None:
    whole = learned(pairs)
    torch.manual_seed(1)
    parts = LearnedFactors(BANDS, 3)
    for i in range(0, 4000, 500):
        parts.learn(pairs[0][i : i + 500], pairs[1][i : i + 500], torch.ones(500))
    parts.solve()
    image = as_image(pairs[0])
    torch.testing.assert_close(parts(image).abs(), whole(image).abs(), rtol=1e-3, atol=5e-3)


def test_pairs_without_weight_do_not_count(pairs) -> None:
    whole = learned(pairs)
    torch.manual_seed(1)
    found = LearnedFactors(BANDS, 3)
    wrong = torch.full((100, BANDS), 7.0)
    weight = torch.cat([torch.ones(4000), torch.zeros(100)])
    found.learn(*(torch.cat([x, wrong]) for x in pairs), weight)
    found.solve()
    image = as_image(pairs[0])
    torch.testing.assert_close(found(image).abs(), whole(image).abs(), rtol=1e-3, atol=5e-3)


def test_without_pairs_all_factors_are_zero() -> None:
    found = LearnedFactors(BANDS, 2)
    found.learn(torch.ones(5, BANDS), torch.ones(5, BANDS), torch.zeros(5))
    found.solve()
    assert not found(torch.randn(1, BANDS, 4, 4)).any()


def test_constant_bands_do_no_harm() -> None:
    found = LearnedFactors(BANDS, 2)
    found.learn(torch.ones(50, BANDS), torch.ones(50, BANDS), torch.ones(50))
    found.solve()
    assert found(torch.randn(1, BANDS, 4, 4)).isfinite().all()


def test_their_weights_are_all_they_need(pairs) -> None:
    found, image = learned(pairs), as_image(pairs[0])
    torch.testing.assert_close(PixelFactors.of_weights(found.weights())(image), found(image))
