"""Resampling a patch onto a view, followed by painted coordinates."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from sscl_geo.geometry.affine import compose, scaling, translation
from sscl_geo.geometry.resample import is_window, resample, resample_into


def painted(height: int, width: int) -> np.ndarray:
    """An image whose bands hold each pixel's own (column, row) centre."""
    rows, cols = np.mgrid[:height, :width] + 0.5
    return np.stack([cols, rows]).astype(np.float32)


def centers(matrix: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    rows, cols = np.mgrid[: shape[0], : shape[1]] + 0.5
    points = np.stack([cols, rows], -1) @ matrix[:, :2].T + matrix[:, 2]
    return points.transpose(2, 0, 1)


def test_a_window_is_copied_bit_for_bit() -> None:
    image = np.random.default_rng(0).normal(size=(3, 20, 30)).astype(np.float32)
    valid = np.ones((20, 30), bool)
    got, _ = resample(image, valid, translation(4, 7), (10, 12))
    np.testing.assert_array_equal(got, image[:, 7:17, 4:16])


def test_a_shift_by_half_a_pixel_is_not_a_window() -> None:
    assert not is_window(translation(0.5, 0))


@settings(deadline=None, max_examples=40)
@given(
    st.floats(0.3, 2.9),
    st.floats(0.3, 2.9),
    st.floats(-180, 180),
    st.floats(18, 30),
    st.floats(18, 30),
)
def test_every_pixel_shows_the_ground_under_its_centre(
    zoom_x: float, zoom_y: float, angle: float, col: float, row: float
) -> None:
    shape = (11, 13)
    turn = np.radians(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0]])
    matrix = compose(
        compose(translation(col, row), rotation),
        compose(scaling(zoom_x, zoom_y), translation(-shape[1] / 2, -shape[0] / 2)),
    )
    image, valid = resample(painted(48, 48), np.ones((48, 48), bool), matrix, shape)
    expected = centers(matrix, shape)
    reach = 0.5 + max(zoom_x, zoom_y) * 0.75
    inside = ((expected > reach) & (expected < 48 - reach)).all(axis=0)
    assert valid[inside].all()
    np.testing.assert_allclose(image[:, inside], expected[:, inside], atol=1e-3)


def test_halving_the_resolution_takes_the_mean_of_four_pixels() -> None:
    image = np.random.default_rng(0).normal(size=(2, 16, 16)).astype(np.float32)
    got, _ = resample(image, np.ones((16, 16), bool), scaling(2, 2), (8, 8))
    expected = F.avg_pool2d(torch.from_numpy(image), 2).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_values_of_invalid_pixels_do_not_bleed() -> None:
    image = np.full((1, 20, 20), 7, np.float32)
    valid = np.ones((20, 20), bool)
    valid[:, :9] = False
    image[:, ~valid] = 0
    got, there = resample(image, valid, compose(translation(0.3, 0.2), scaling(1.4, 1.4)), (12, 12))
    np.testing.assert_allclose(got[0][there], 7, rtol=1e-6)
    assert (got[0][~there] == 0).all()


def test_pixels_beyond_the_patch_are_invalid() -> None:
    _, valid = resample(painted(8, 8), np.ones((8, 8), bool), translation(-4, 0), (8, 8))
    np.testing.assert_array_equal(valid, np.broadcast_to(np.arange(8) >= 4, (8, 8)))


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("zoom", [1.0, 1.3])
def test_many_views_of_a_patch_are_each_what_one_is(complete: bool, zoom: float) -> None:
    rng = np.random.default_rng(0)
    pixels, valid = rng.integers(1, 99, (2, 30, 30), np.uint16), np.ones((30, 30), bool)
    if not complete:
        valid[10:14, 5:25] = False
    # Some reach beyond the patch.
    matrices = np.stack(
        [compose(translation(*rng.integers(-4, 25, 2)), scaling(zoom, zoom)) for _ in range(12)]
    )
    views = [(np.full((2, 8, 8), 7, np.float32), np.ones((8, 8), bool)) for _ in matrices]
    resample_into(views, pixels, valid, matrices, complete=complete)
    for (image, there), matrix in zip(views, matrices, strict=True):
        wanted, known = resample(pixels, valid, matrix, (8, 8))
        np.testing.assert_array_equal(image, wanted)
        np.testing.assert_array_equal(there, known)
