"""Radiometric changes for any number of bands."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from sscl_geo.errors import ConfigError
from sscl_geo.transforms.blur import RandomBlur
from sscl_geo.transforms.color import RandomColor
from sscl_geo.transforms.gamma import RandomGamma
from sscl_geo.transforms.linear import RandomLinear
from sscl_geo.transforms.noise import RandomNoise
from sscl_geo.transforms.radiometric import radiometric_augmentation
from sscl_geo.transforms.speckle import RandomSpeckle


def all_valid(image: torch.Tensor) -> torch.Tensor:
    return torch.ones(len(image), *image.shape[-2:], dtype=torch.bool)


@pytest.mark.parametrize("bands", [1, 2, 3, 5, 13])
@pytest.mark.parametrize("preset", ["optical", "sar", "sar_db"])
def test_presets_take_any_number_of_bands(preset: str, bands: int) -> None:
    image = torch.randn(6, bands, 16, 16)
    chain = radiometric_augmentation(1.0, preset, (3.0,) * bands, (2.0,) * bands)
    out = chain(image, all_valid(image))
    assert out.shape == image.shape
    assert torch.isfinite(out).all()
    assert not torch.equal(out, image)


def test_the_preset_for_rgb_refuses_other_bands_in_a_sentence() -> None:
    image = torch.randn(4, 4, 8, 8)
    with pytest.raises(ConfigError, match="have 4 bands"):
        radiometric_augmentation(1.0, "rgb")(image, all_valid(image))
    chain = radiometric_augmentation(1.0, "rgb")
    assert chain(image[:, :3], all_valid(image)).shape == (4, 3, 8, 8)


def test_unknown_presets_and_radar_without_statistics_are_refused() -> None:
    with pytest.raises(ConfigError, match="no preset 'xray'"):
        radiometric_augmentation(1.0, "xray")
    with pytest.raises(ConfigError, match="needs mean and std"):
        radiometric_augmentation(1.0, "sar")


def test_strength_zero_changes_nothing() -> None:
    image = torch.randn(8, 3, 4, 4)
    assert torch.equal(radiometric_augmentation(0.0)(image, all_valid(image)), image)


@pytest.mark.parametrize(("p", "changed"), [(0.0, 0), (0.01, 1), (0.3, 3), (1.0, 10)])
def test_exactly_the_share_of_views_is_changed(p: float, changed: int) -> None:
    image = torch.zeros(10, 1, 4, 4)
    out = RandomNoise(1.0, p)(image, all_valid(image))
    assert int((out != 0).flatten(1).any(dim=1).sum()) == changed


def test_every_view_is_changed_sometimes() -> None:
    image = torch.zeros(6, 1, 2, 2)
    seen = torch.zeros(6, dtype=torch.bool)
    for _ in range(60):
        seen |= (RandomNoise(1.0, 0.2)(image, all_valid(image)) != 0).flatten(1).any(dim=1)
    assert seen.all()


def test_normalised_values_are_not_clipped() -> None:
    image = torch.full((64, 3, 4, 4), -5.0)
    out = RandomLinear(p=1.0, p_drop=0.0)(image, all_valid(image))
    assert out.min() < -5
    assert out.max() > -5


def test_brightness_and_contrast_are_common_to_all_bands() -> None:
    image = torch.randn(8, 1, 6, 6).expand(8, 4, 6, 6)
    out = RandomLinear(gain=0.0, p=1.0, p_drop=0.0)(image, all_valid(image))
    assert (out - out[:, :1]).abs().max() < 1e-6
    assert len(out[:, 0, 0, 0].unique()) == 8


def test_band_gain_differs_from_band_to_band_within_its_range() -> None:
    image = torch.ones(32, 4, 2, 2)
    factor = RandomLinear(0.0, 0.0, 0.2, p=1.0, p_drop=0.0)(image, all_valid(image))[:, :, 0, 0]
    assert factor.min() >= 1 / 1.2 - 1e-6
    assert factor.max() <= 1.2 + 1e-6
    assert factor.std(dim=1).min() > 0


def test_a_lost_band_is_one_a_view_and_every_band_sometimes() -> None:
    image = torch.ones(200, 4, 2, 2)
    out = RandomLinear(0.0, 0.0, 0.0, p_drop=1.0)(image, all_valid(image))[:, :, 0, 0]
    assert (out == 0).sum(dim=1).eq(1).all()
    assert (out == 0).any(dim=0).all()


def test_a_single_band_is_never_lost() -> None:
    image = torch.ones(8, 1, 2, 2)
    assert RandomLinear(0.0, 0.0, 0.0, p_drop=1.0)(image, all_valid(image)).min() == 1


def test_haze_brightens_and_flattens_the_first_bands_most() -> None:
    image = torch.randn(64, 5, 16, 16)
    linear = RandomLinear(0.0, 0.0, 0.0, haze=0.5, p_haze=1.0, p_drop=0.0)
    scale, offset = linear.draw(image)
    assert (offset > 0).all()
    assert (scale < 1).all()
    assert (offset.diff(dim=1) <= 0).all()
    assert (scale.diff(dim=1) >= 0).all()
    torch.testing.assert_close(offset, 3 * (1 - scale))


def test_the_tone_curve_rises_and_leaves_its_ends() -> None:
    image = torch.linspace(-6, 6, 401).repeat(8, 1, 1, 1)
    out = RandomGamma(1.5, p=1.0)(image, all_valid(image))
    assert (out.diff(dim=-1) > 0).all()
    assert out.diff(dim=-1).max() < 0.2
    assert torch.equal(out[image.abs() >= 4], image[image.abs() >= 4])
    assert (out - image).abs().max() > 0.3


def test_blur_is_scipys_gaussian_over_valid_pixels() -> None:
    image, valid = torch.randn(1, 2, 20, 24), torch.rand(1, 20, 24) > 0.3
    blur = RandomBlur((1.2, 1.2), p=1.0)
    out = blur(image, valid)
    radius = blur.size // 2
    known = valid[0].numpy().astype(float)

    def spread(x: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(x, 1.2, mode="constant", radius=radius)

    for band in range(2):
        expected = spread(image[0, band].double().numpy() * known) / spread(known)
        np.testing.assert_allclose(out[0, band].numpy() * known, expected * known, atol=1e-5)


def test_blur_lets_nothing_invalid_bleed_into_data() -> None:
    image = torch.full((4, 3, 16, 16), 7.0)
    valid = torch.rand(4, 16, 16) > 0.4
    image.masked_fill_(~valid[:, None], torch.nan)
    out = RandomBlur(p=1.0)(image, valid)
    assert torch.isfinite(out).all()
    inside = out.movedim(1, -1)[valid]
    torch.testing.assert_close(inside, torch.full_like(inside, 7.0))


def test_noise_has_at_most_its_standard_deviation() -> None:
    image = torch.zeros(64, 2, 32, 32)
    std = RandomNoise(0.2, p=1.0)(image, all_valid(image)).flatten(1).std(dim=1)
    assert std.max() < 0.21
    assert std.max() > 0.15
    assert std.min() < 0.05


def test_speckle_of_intensities_keeps_the_mean_and_has_the_variance_of_its_looks() -> None:
    mean, std = (40.0,), (8.0,)
    raw = torch.full((2, 1, 256, 256), 50.0)
    image = (raw - mean[0]) / std[0]
    out = RandomSpeckle(mean, std, (4.0, 4.0), p=1.0)(image, all_valid(image)) * std[0] + mean[0]
    assert out.mean() == pytest.approx(50, rel=0.01)
    assert out.std() / out.mean() == pytest.approx(0.5, rel=0.02)


def test_speckle_in_decibels_is_additive_and_that_of_the_intensities() -> None:
    mean, std = (-12.0,), (3.0,)
    image = torch.zeros(2, 1, 256, 256)
    out = (
        RandomSpeckle(mean, std, (4.0, 4.0), decibel=True, p=1.0)(image, all_valid(image)) * std[0]
    )
    assert out.mean() == pytest.approx(0, abs=0.05)
    # Variance of the logarithm of Gamma(L): the trigamma function of L.
    expected = 10 / np.log(10) * float(torch.polygamma(1, torch.tensor(4.0))) ** 0.5
    assert out.std() == pytest.approx(expected, rel=0.02)


def test_colour_changes_keep_the_luma() -> None:
    image = torch.randn(16, 3, 4, 4)
    out = RandomColor(p=1.0)(image, all_valid(image))
    luma = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    torch.testing.assert_close((out * luma).sum(1), (image * luma).sum(1), atol=1e-2, rtol=1e-2)
    assert not torch.allclose(out, image)


def test_views_without_colour_have_three_equal_bands() -> None:
    image = torch.randn(4, 3, 4, 4)
    out = RandomColor(gray=1.0, p=1.0)(image, all_valid(image))
    assert (out - out.mean(dim=1, keepdim=True)).abs().max() < 1e-2
