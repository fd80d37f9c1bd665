"""Augmentation of whole batches of pairs."""

import pytest
import torch

from sscl_geo import ViewAugmentation
from sscl_geo.transforms.normalize import normalize

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
