"""Cells of two views at the same ground point, followed by values painted on the ground."""

import numpy as np
import pytest
import torch
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from sscl_geo.geometry.affine import matrix_from_affine, transform_points
from sscl_geo.geometry.correspondences import cell_valid_share, correspondences

BASES = {
    "utm": Affine(30, 0, 300_015, 0, -30, 4_100_025),
    "south_up": Affine(30, 0, 300_015, 0, 30, 4_000_025),
    "rotated": Affine.translation(300_015, 4_100_025) @ Affine.rotation(27) @ Affine.scale(10, -12),
    "geographic": Affine(1 / 3600, 0, -112.9, 0, -1 / 3600, 37.4),
}
IMAGE = (64, 96)
CELLS = (8, 12)


def cell_centers() -> torch.Tensor:
    x = (torch.arange(CELLS[1], dtype=torch.float64) + 0.5) * IMAGE[1] / CELLS[1]
    y = (torch.arange(CELLS[0], dtype=torch.float64) + 0.5) * IMAGE[0] / CELLS[0]
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)


def painted(pixel_to_map: torch.Tensor, origin: torch.Tensor, pixel: float) -> torch.Tensor:
    """Features that hold the ground position of each cell's centre, in pixels from an origin."""
    ground = (transform_points(pixel_to_map, cell_centers()) - origin) / pixel
    return ground.T.reshape(1, 2, *CELLS)


def pair(
    base: Affine, angle: float, zoom: float, dx: float, dy: float, mirror: int
) -> torch.Tensor:
    center = Affine.translation(IMAGE[1] / 2, IMAGE[0] / 2)
    second = (
        base
        @ Affine.translation(dx, dy)
        @ center
        @ Affine.rotation(angle)
        @ Affine.scale(zoom, mirror * zoom)
        @ ~center
    )
    return torch.from_numpy(np.stack([matrix_from_affine(base), matrix_from_affine(second)]))[None]


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(BASES)),
    st.floats(-180, 180),
    st.floats(0.4, 2.5),
    st.floats(-40, 40),
    st.floats(-30, 30),
    st.sampled_from([-1, 1]),
)
def test_matched_cells_look_at_the_same_ground(
    name: str, angle: float, zoom: float, dx: float, dy: float, mirror: int
) -> None:
    matrices = pair(BASES[name], angle, zoom, dx, dy, mirror)
    origin, pixel = matrices[0, 0, :, 2], float(matrices[0, 0, :, 0].norm())
    match = correspondences(matrices, IMAGE, CELLS)
    views = [painted(matrices[0, i], origin, pixel) for i in (0, 1)]
    for direction in (0, 1):
        # Bilinear interpolation of a linear function is exact, so the grounds must agree.
        there = match.sample(views[1 - direction], direction)
        error = (there - views[direction]).abs().amax(dim=1)
        assert float((error * match.weight[:, direction]).max()) < 1e-3


def test_identical_views_match_every_cell_to_itself() -> None:
    matrices = pair(BASES["utm"], 0, 1, 0, 0, 1)
    features = torch.randn(1, 5, *CELLS)
    match = correspondences(matrices, IMAGE, CELLS)
    torch.testing.assert_close(match.sample(features, 0), features, atol=1e-5, rtol=0)
    assert match.weight.min() == 1


def test_a_mirrored_view_matches_every_cell_to_its_mirror_image() -> None:
    matrices = pair(BASES["utm"], 0, 1, 0, 0, -1)
    features = torch.randn(1, 5, *CELLS)
    match = correspondences(matrices, IMAGE, CELLS)
    torch.testing.assert_close(match.sample(features, 0), features.flip(2), atol=1e-5, rtol=0)
    assert match.weight.min() == 1


def test_views_apart_have_no_counterparts() -> None:
    match = correspondences(pair(BASES["utm"], 0, 1, 200, 0, 1), IMAGE, CELLS)
    assert match.weight.max() == 0


def test_a_shift_by_whole_cells_leaves_exactly_the_shared_cells() -> None:
    match = correspondences(pair(BASES["utm"], 0, 1, 24, 16, 1), IMAGE, CELLS)
    expected = torch.zeros(CELLS)
    expected[2:, 3:] = 1
    torch.testing.assert_close(match.weight[0, 0], expected)


def test_half_a_cell_beyond_the_other_views_centres_does_not_count() -> None:
    match = correspondences(pair(BASES["utm"], 0, 1, 4, 0, 1), IMAGE, CELLS)
    assert match.weight[0, 0, :, 0].max() == 0
    assert match.weight[0, 0, :, 1:].min() == 1


@pytest.mark.parametrize("blind", [0, 1])
def test_cells_without_data_in_either_view_do_not_count(blind: int) -> None:
    valid = torch.ones(1, 2, *IMAGE, dtype=torch.bool)
    valid[0, blind, :, :40] = False
    match = correspondences(pair(BASES["utm"], 0, 1, 0, 0, 1), IMAGE, CELLS, valid=valid)
    assert match.weight[..., :5].max() == 0
    assert match.weight[..., 5:].min() == 1


def test_the_valid_share_of_a_cell_is_its_count_of_valid_pixels() -> None:
    valid = torch.rand(3, *IMAGE) > 0.3
    expected = valid.float().reshape(3, 8, 8, 12, 8).mean(dim=(2, 4))
    torch.testing.assert_close(cell_valid_share(valid, CELLS), expected)


def pairs_apart(shift_px: float, count: int = 2) -> torch.Tensor:
    a = torch.tensor([[10.0, 0, 500_000], [0, -10, 4_000_000]], dtype=torch.float64)
    b = a.clone()
    b[0, 2] += 10 * shift_px
    return torch.stack([a, b]).expand(count, 2, 2, 3)


def test_exchanging_is_sampling_in_both_directions() -> None:
    match = correspondences(pairs_apart(12.0), (32, 32), (4, 4))
    features = torch.randn(4, 5, 4, 4)
    views = features.unflatten(0, (2, 2))
    both = match.exchange(features).unflatten(0, (2, 2))
    for v in (0, 1):
        torch.testing.assert_close(both[:, v], match.sample(views[:, 1 - v], v))


@pytest.mark.parametrize("center", [0.5, 0.0625, 0.9])
def test_whole_cells_apart_match_cell_by_cell_wherever_their_centres_lie(center: float) -> None:
    match = correspondences(pairs_apart(16.0), (32, 32), (4, 4), cell_center=center)
    features = torch.randn(4, 5, 4, 4)
    both = match.exchange(features).unflatten(0, (2, 2))
    # View 1 lies two cells of 8 pixels to the east.
    torch.testing.assert_close(both[0, 0, :, :, 2:], features[1, :, :, :2])
    torch.testing.assert_close(both[0, 1, :, :, :2], features[0, :, :, 2:])
    assert match.weight[0, 0].sum(dim=0).tolist() == [0, 0, 4, 4]


def test_a_centre_off_the_middle_matches_other_points_where_a_view_is_flipped() -> None:
    matrices = pairs_apart(0.0).clone()
    matrices[:, 1, 0] = torch.tensor([-10.0, 0, 500_000 + 320])
    match = correspondences(matrices, (32, 32), (4, 4), cell_center=0.0625)
    # Point 0.5 + 8 j of the one is 31.5 - 8 j of the other: cell (31.5 - 8 j) / 8 - 0.0625.
    index = (match.grid[0, 0, 0, :, 0] + 1) * 2 - 0.5
    expected = torch.tensor([(31.5 - 8 * j) / 8 - 0.0625 for j in range(4)])
    torch.testing.assert_close(index, expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("autocast", [False, True])
def test_half_precision_features_are_sampled_at_exact_places(dtype, autocast: bool) -> None:
    match = correspondences(pairs_apart(13.3), (256, 256), (32, 32))
    features = torch.randn(4, 3, 32, 32).to(dtype)
    expected = match.exchange(features.float())
    with torch.autocast("cpu", dtype, enabled=autocast):
        assert torch.equal(match.exchange(features), expected)
        one = match.sample(features[1::2], 0)
    assert torch.equal(one, expected[::2])
