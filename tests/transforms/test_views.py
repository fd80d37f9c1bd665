"""Augmentation of whole batches of pairs."""

import pytest
import torch

from sscl_geo import ViewAugmentation
from sscl_geo.transforms.geometric import RandomWarp
from sscl_geo.transforms.normalize import normalize
from sscl_geo.transforms.radiometric import radiometric_augmentation

MEAN, STD = (100.0, 50.0), (20.0, 10.0)


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    valid = torch.ones(5, 2, 16, 16, dtype=torch.bool)
    valid[:, :, :6] = False
    image = torch.randn(5, 2, 2, 16, 16) * 20 + 100
    matrices = torch.tensor([[30.0, 0, 300_015], [0, -30, 4_100_025]], dtype=torch.float64)
    return {
        "image": image * valid[:, :, None],
        "valid": valid,
        "pixel_to_map": matrices.expand(5, 2, 2, 3).clone(),
        "scene": torch.arange(5),
    }


def test_shapes_types_and_other_keys_stay(batch) -> None:
    out = ViewAugmentation(MEAN, STD)(batch)
    assert {k: (v.shape, v.dtype) for k, v in out.items()} == {
        k: (v.shape, v.dtype) for k, v in batch.items()
    }
    assert torch.equal(out["scene"], batch["scene"])


def test_the_input_batch_is_left_as_it_was(batch) -> None:
    before = {k: v.clone() for k, v in batch.items()}
    ViewAugmentation(MEAN, STD)(batch)
    assert all(torch.equal(batch[k], v) for k, v in before.items())


def test_pixels_without_data_stay_zero(batch) -> None:
    out = ViewAugmentation(MEAN, STD)(batch)
    assert out["valid"].float().mean() == pytest.approx(10 / 16)
    assert (out["image"].movedim(2, -1)[~out["valid"]] == 0).all()


def test_each_view_gets_its_own_draw(batch) -> None:
    out = ViewAugmentation(MEAN, STD)(batch)
    assert len({tuple(m.flatten().tolist()) for m in out["pixel_to_map"].flatten(0, 1)}) > 2


def test_normalising_uses_mean_and_std_of_each_band() -> None:
    image = torch.tensor([120.0, 40.0])[:, None, None].expand(2, 3, 3)
    out = normalize(image, torch.ones(3, 3).bool(), torch.tensor(MEAN), torch.tensor(STD))
    torch.testing.assert_close(out[:, 0, 0], torch.tensor([1.0, -1.0]))


def test_a_constant_band_does_not_divide_by_zero() -> None:
    out = normalize(
        torch.full((1, 2, 2), 5.0),
        torch.ones(2, 2).bool(),
        torch.tensor([5.0]),
        torch.tensor([0.0]),
    )
    assert (out == 0).all()


def test_statistics_move_with_the_module_but_not_into_its_state() -> None:
    assert not ViewAugmentation(MEAN, STD).normalize.state_dict()


@pytest.mark.parametrize("preset", ["optical", "rgb", "sar", "sar_db"])
def test_augmentation_never_waits_for_the_device(preset: str, no_waiting) -> None:
    mean, std = (100.0, 50.0, 25.0), (20.0, 10.0, 5.0)
    warp = RandomWarp(zoom=(0.7, 1.4), rotation=30, shift=0.1)
    chain = radiometric_augmentation(1.0, preset, mean, std)
    interpolating = ViewAugmentation(mean, std, warp, chain)
    moving = ViewAugmentation(mean, std, RandomWarp(), chain)
    batch = {
        "image": torch.rand(3, 2, 3, 16, 16),
        "valid": torch.ones(3, 2, 16, 16, dtype=torch.bool),
        "pixel_to_map": torch.eye(2, 3, dtype=torch.float64).expand(3, 2, 2, 3),
    }
    with no_waiting():
        interpolating(batch)
        moving(batch)


def test_values_that_are_not_finite_are_not_valid_and_spread_to_no_other_pixel() -> None:
    image = torch.full((8, 2, 2, 24, 24), 100.0)
    valid = torch.ones(8, 2, 24, 24, dtype=torch.bool)
    image[:, :, 0, 5, 6] = torch.nan
    image[:, :, 1, 12, 3] = torch.inf
    batch = {
        "image": image,
        "valid": valid,
        "pixel_to_map": torch.eye(2, 3, dtype=torch.float64).expand(8, 2, 2, 3),
    }
    out = ViewAugmentation(MEAN, STD)(batch)
    assert torch.isfinite(out["image"]).all()
    assert (out["valid"].flatten(2).sum(dim=2) == 24 * 24 - 2).all()
    assert (out["image"].movedim(2, -1)[~out["valid"]] == 0).all()


def test_augmented_views_of_the_same_ground_still_match_exactly() -> None:
    # Bands that hold each pixel's own map coordinates: what a pixel shows is where it lies.
    size, pixels = 32, torch.arange(32) + 0.5
    x, y = torch.meshgrid(pixels, pixels, indexing="xy")
    matrices = torch.tensor([[30.0, 0, 600], [0, -30, 900]], dtype=torch.float64)
    image = torch.stack([600 + 30 * x, 900 - 30 * y]).expand(6, 2, 2, size, size)
    batch = {
        "image": image,
        "valid": torch.ones(6, 2, size, size, dtype=torch.bool),
        "pixel_to_map": matrices.expand(6, 2, 2, 3),
    }
    warp = RandomWarp(zoom=(0.6, 1.2), rotation=180, shift=0.2)
    nothing = radiometric_augmentation(0.0)
    out = ViewAugmentation((0.0, 0.0), (1.0, 1.0), warp, nothing)(batch)
    corner = out["pixel_to_map"]
    named = torch.stack([x, y], dim=-1).double().reshape(-1, 2) @ corner[..., :2].mT
    named = (named + corner[..., 2][:, :, None]).mT.unflatten(3, (size, size))
    error = (out["image"] - named).abs().amax(dim=2)
    # Half a pixel from the edge of the data, bilinear interpolation has only one side.
    low, high = torch.tensor([630, 900 - 31 * 30]), torch.tensor([600 + 31 * 30, 870])
    low, high = (limit[:, None, None] for limit in (low, high))
    inside = ((named > low) & (named < high)).all(dim=2)
    assert inside.float().mean() > 0.3
    assert error[inside].max() < 0.05
