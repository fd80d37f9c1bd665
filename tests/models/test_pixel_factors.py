"""Pixel factors see single pixels, and are the same however an image is cut."""

import torch

from sscl_geo.models import pixel_factors
from sscl_geo.models.pixel_factors import PixelFactors


def made() -> PixelFactors:
    torch.manual_seed(0)
    factors = PixelFactors(3, 4)
    factors.axes.normal_()
    factors.offset.normal_()
    return factors


def test_they_are_the_projected_bands_and_waves() -> None:
    factors, image = made(), torch.randn(2, 3, 9, 7)
    pixels = image.movedim(1, -1).double()
    waves = torch.cos(pixels @ factors.waves.double().T + factors.phases.double())
    expected = torch.cat([pixels, waves], -1) @ factors.axes.double().T + factors.offset.double()
    torch.testing.assert_close(factors(image), expected.movedim(-1, 1).float())


def test_they_see_their_own_pixel_only() -> None:
    factors, image = made(), torch.randn(1, 3, 20, 80)
    changed = image.clone()
    changed[..., 50:] += 1
    torch.testing.assert_close(factors(changed)[..., :50], factors(image)[..., :50])


def test_large_images_are_cut_into_rows(monkeypatch) -> None:
    factors, image = made(), torch.randn(2, 3, 23, 5)
    whole = factors(image)
    monkeypatch.setattr(pixel_factors, "_PIXELS_ON_CPU", 40)
    torch.testing.assert_close(factors(image), whole, rtol=1e-5, atol=1e-5)


def test_half_precision_around_them_does_not_reach_them() -> None:
    factors, image = made(), torch.randn(1, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = factors(image)
    assert torch.equal(found, factors(image))
