"""Warps of views against what their matrix says."""

import pytest
import torch

from sscl_geo.errors import ConfigError
from sscl_geo.transforms.geometric import RandomWarp


def painted(batch: int, height: int, width: int) -> torch.Tensor:
    """Bands that hold each pixel's own (column, row) centre."""
    x, y = torch.arange(width) + 0.5, torch.arange(height) + 0.5
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"))
    return grid.expand(batch, 2, height, width).clone()


def named_by(matrix: torch.Tensor, height: int, width: int) -> torch.Tensor:
    points = painted(1, height, width)[0].double().flatten(1)
    mapped = matrix[:, :, :2] @ points + matrix[:, :, 2:]
    return mapped.unflatten(2, (height, width))


def test_all_quarter_turns_are_drawn_without_flips() -> None:
    torch.manual_seed(0)
    found = RandomWarp(flips=False).draw(400, (8, 8), torch.device("cpu"))[..., :2]
    kinds, counts = found.round().flatten(1).unique(dim=0, return_counts=True)
    assert len(kinds) == 4
    assert (torch.linalg.det(kinds.reshape(4, 2, 2)) == 1).all()
    assert counts.min() > 60


@pytest.mark.parametrize("shape", [(16, 16), (12, 20), (1, 1), (7, 7)])
def test_flips_and_quarter_turns_move_pixels_exactly(shape: tuple[int, int]) -> None:
    image = painted(64, *shape)
    warped = RandomWarp()(image, torch.ones(64, *shape, dtype=torch.bool))
    assert torch.equal(warped.image.double(), named_by(warped.new_to_old, *shape))
    assert warped.valid.all()


def test_all_eight_symmetries_of_the_square_occur() -> None:
    matrices = RandomWarp().draw(400, (8, 8), torch.device("cpu"))
    assert len({tuple(m[:, :2].flatten().tolist()) for m in matrices}) == 8


def test_views_that_are_not_square_are_not_turned() -> None:
    matrices = RandomWarp().draw(400, (8, 12), torch.device("cpu"))
    assert len({tuple(m[:, :2].flatten().tolist()) for m in matrices}) == 4


def test_zoom_and_rotation_show_what_the_matrix_names() -> None:
    image = painted(64, 32, 40)
    warped = RandomWarp(zoom=(0.6, 1.6), rotation=180)(image, torch.ones(64, 32, 40).bool())
    named = named_by(warped.new_to_old, 32, 40)
    limit = torch.tensor([40.0, 32.0])[:, None, None]
    inside = ((named > 0.5) & (named < limit - 0.5)).all(dim=1)
    assert inside.float().mean() > 0.5
    error = (warped.image - named).abs().amax(dim=1)
    assert error[inside].max() < 1e-3
    assert warped.valid[inside].all()


def test_what_lies_beyond_the_view_is_invalid_and_zero() -> None:
    warped = RandomWarp(zoom=(2.0, 2.0))(torch.ones(4, 1, 16, 16), torch.ones(4, 16, 16).bool())
    assert warped.valid.float().mean() == pytest.approx(0.25, abs=0.07)
    assert (warped.image[:, 0][~warped.valid] == 0).all()


def test_invalid_pixels_do_not_bleed_into_valid_ones() -> None:
    valid = torch.ones(16, 24, 24, dtype=torch.bool)
    valid[:, :, :10] = False
    image = torch.where(valid[:, None], 7.0, -1e6)
    warped = RandomWarp(zoom=(0.7, 1.4), rotation=180)(image * valid[:, None], valid)
    torch.testing.assert_close(
        warped.image[:, 0][warped.valid],
        torch.full((int(warped.valid.sum()),), 7.0),
        rtol=1e-5,
        atol=0,
    )


def test_nothing_asked_for_changes_nothing() -> None:
    image = torch.randn(3, 2, 8, 8)
    warped = RandomWarp(flips=False, quarter_turns=False)(image, torch.ones(3, 8, 8).bool())
    assert torch.equal(warped.image, image)
    assert torch.equal(warped.new_to_old, torch.eye(2, 3).double().expand(3, 2, 3))


def test_a_shift_moves_the_centre_within_its_share_and_keeps_the_matrix_true() -> None:
    warp, image = RandomWarp(shift=0.25), painted(64, 16, 24)
    warped = warp(image, torch.ones(64, 16, 24).bool())
    center = torch.tensor([12.0, 8.0]).double()
    moved = warped.new_to_old[:, :, :2] @ center + warped.new_to_old[:, :, 2] - center
    assert (moved.abs() <= torch.tensor([6.0, 4.0]) + 1e-9).all()
    assert (moved.abs().amax(dim=0) > torch.tensor([4.0, 2.5])).all()
    named = named_by(warped.new_to_old, 16, 24)
    limit = torch.tensor([24.0, 16.0])[:, None, None]
    inside = ((named > 0.5) & (named < limit - 0.5)).all(dim=1)
    assert (warped.image - named).abs().amax(dim=1)[inside].max() < 1e-3


@pytest.mark.parametrize("zoom", [(0.0, 1.0), (1.5, 0.7), (-1.0, 1.0)])
def test_an_impossible_zoom_is_refused(zoom: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="zoom is"):
        RandomWarp(zoom=zoom)
