"""Autocorrelation factors find what is alike in neighbours, from single pixels, without labels."""

import numpy as np
import pytest
import torch
from torch import Tensor

from experiments.autocorrelation_factors import autocorrelation_factors

SIZE = 96


@pytest.fixture(scope="module")
def smooth() -> Tensor:
    """A field that changes over some twenty pixels, of unit deviation."""
    noise = torch.randn(1, 1, SIZE + 40, SIZE + 40, generator=torch.Generator().manual_seed(1))
    field = torch.nn.functional.avg_pool2d(torch.nn.functional.avg_pool2d(noise, 21, 1), 21, 1)
    return (field / field.std())[0, 0]


@pytest.fixture(scope="module")
def bands(smooth: Tensor) -> Tensor:
    """Two bands that tell the field only together: noise, and noise times the field's sign."""
    noise = torch.randn(2, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    ring = (1.5 + 0.8 * smooth) / noise.norm(dim=0)
    return noise * ring


def everywhere() -> np.ndarray:
    return np.ones((SIZE, SIZE), bool)


def test_the_first_factor_is_the_field_that_no_band_shows(smooth: Tensor, bands: Tensor) -> None:
    factor = autocorrelation_factors(bands, everywhere(), 3, 1)[0]
    linear = [abs(float(np.corrcoef(band.flatten(), smooth.flatten())[0, 1])) for band in bands]
    found = abs(float(np.corrcoef(factor.flatten(), smooth.flatten())[0, 1]))
    assert max(linear) < 0.1
    assert found > 0.9


def test_factors_are_uncorrelated_and_shrink(bands: Tensor) -> None:
    factors = autocorrelation_factors(bands, everywhere(), 3, 4).flatten(1)
    deviations = factors.std(dim=1)
    assert (deviations.diff() <= 0).all()
    assert (torch.corrcoef(factors) - torch.eye(4)).abs().max() < 0.1


def test_a_factor_sees_its_own_pixel_only(bands: Tensor) -> None:
    seen = everywhere()
    seen[40:] = False
    changed = bands.clone()
    changed[:, 70:] += 1
    before, after = (autocorrelation_factors(image, seen, 3, 3) for image in (bands, changed))
    torch.testing.assert_close(before[:, :70], after[:, :70], rtol=0, atol=0)


def test_pixels_that_are_not_seen_teach_nothing(bands: Tensor) -> None:
    seen = everywhere()
    seen[:, 50:] = False
    changed = torch.where(torch.from_numpy(seen), bands, 9.0)
    before, after = (autocorrelation_factors(image, seen, 3, 3) for image in (bands, changed))
    torch.testing.assert_close(before[:, seen], after[:, seen], rtol=0, atol=0)
