"""Radiometric changes for any number of bands."""

import pytest
import torch

from sscl_geo.transforms.radiometric import (
    RandomBandDrop,
    RandomBandGain,
    RandomBrightnessContrast,
    radiometric_augmentation,
)


@pytest.mark.parametrize("bands", [1, 2, 3, 5, 13])
def test_the_default_chain_takes_any_number_of_bands(bands: int) -> None:
    image = torch.randn(6, bands, 16, 16)
    out = radiometric_augmentation()(image)
    assert out.shape == image.shape
    assert torch.isfinite(out).all()


def test_normalised_values_are_not_clipped() -> None:
    out = RandomBrightnessContrast(0.4, 0.4, p=1.0)(torch.full((64, 3, 4, 4), -5.0))
    assert out.min() < -5
    assert out.max() > -5


def test_brightness_and_contrast_are_common_to_all_bands() -> None:
    image = torch.randn(8, 1, 6, 6).expand(8, 4, 6, 6)
    out = RandomBrightnessContrast(p=1.0)(image.clone())
    assert (out - out[:, :1]).abs().max() < 1e-6
    assert len(out[:, 0, 0, 0].unique()) == 8


def test_band_gain_differs_from_band_to_band_within_its_range() -> None:
    factor = RandomBandGain(0.2, p=1.0)(torch.ones(32, 4, 2, 2))[:, :, 0, 0]
    assert factor.min() >= 1 / 1.2 - 1e-6
    assert factor.max() <= 1.2 + 1e-6
    assert factor.std(dim=1).min() > 0


def test_band_drop_empties_one_band_each_and_every_band_sometimes() -> None:
    out = RandomBandDrop(p=1.0)(torch.ones(200, 4, 2, 2))[:, :, 0, 0]
    assert (out == 0).sum(dim=1).eq(1).all()
    assert (out == 0).any(dim=0).all()


def test_band_drop_leaves_a_single_band_alone() -> None:
    assert RandomBandDrop(p=1.0)(torch.ones(8, 1, 2, 2)).min() == 1


def test_strength_zero_changes_brightness_by_nothing() -> None:
    image = torch.randn(8, 3, 4, 4)
    assert torch.allclose(RandomBrightnessContrast(0.0, 0.0, p=1.0)(image), image)
