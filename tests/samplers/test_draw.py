"""Drawn pairs keep their promises, whatever the ranges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sscl_geo.geometry.footprint import bounding_windows, corners, footprint, overlap_share
from sscl_geo.samplers.draw import ViewRanges, draw_pairs

NORTH_UP = np.array([[30.0, 0], [0, -30.0]])
NON_SQUARE = np.array([[10.0, 0], [0, -25.0]])
SKEWED = np.array([[8.9, 5.4], [4.5, -10.7]])


@st.composite
def ranges(draw: st.DrawFn) -> ViewRanges:
    least = draw(st.floats(0, 0.9))
    zoom = draw(st.floats(0.4, 2))
    return ViewRanges(
        size=(draw(st.integers(1, 40)), draw(st.integers(1, 40))),
        overlap=(least, draw(st.floats(least, 1))),
        overlap_of=draw(st.sampled_from(["smaller", "union"])),
        zoom=(zoom, draw(st.floats(zoom, 2.5))),
        rotation=draw(st.sampled_from([0.0, 15.0, 180.0])),
    )


@settings(deadline=None, max_examples=80)
@given(ranges(), st.sampled_from([NORTH_UP, NON_SQUARE, SKEWED]), st.integers(0, 99))
def test_views_lie_in_the_scene_and_overlap_within_range(
    options: ViewRanges, ground: np.ndarray, seed: int
) -> None:
    shape = (97, 131)
    drawn = draw_pairs(np.random.default_rng(seed), 200, options, shape, ground)
    xy = corners(drawn, options.size)
    assert (xy >= -1e-6).all()
    assert (xy <= np.array([shape[1], shape[0]]) + 1e-6).all()
    polygons = footprint(drawn, options.size)
    share = overlap_share(polygons[:, 0], polygons[:, 1], options.overlap_of)
    assert (share >= options.overlap[0] - 1e-6).all()
    assert (share <= options.overlap[1] + 1e-6).all()


@settings(deadline=None, max_examples=40)
@given(ranges(), st.integers(0, 99))
def test_without_rotation_views_are_windows_of_whole_pixels(options: ViewRanges, seed: int) -> None:
    options = ViewRanges(options.size, options.overlap, options.overlap_of, options.zoom)
    drawn = draw_pairs(np.random.default_rng(seed), 200, options, (97, 131), NORTH_UP)
    xy = corners(drawn, options.size)
    np.testing.assert_allclose(xy, np.round(xy), atol=1e-9)


def test_zoom_one_needs_no_interpolation() -> None:
    drawn = draw_pairs(np.random.default_rng(0), 500, ViewRanges((16, 20)), (97, 131), NORTH_UP)
    np.testing.assert_array_equal(drawn[..., :2], np.broadcast_to(np.eye(2), drawn[..., :2].shape))


def test_first_views_reach_every_corner_of_the_scene() -> None:
    drawn = draw_pairs(np.random.default_rng(0), 20_000, ViewRanges((8, 8)), (12, 16), NORTH_UP)
    cols, rows = drawn[:, 0, 0, 2], drawn[:, 0, 1, 2]
    assert set(rows.astype(int)) == set(range(5))
    assert set(cols.astype(int)) == set(range(9))


def test_a_view_as_large_as_the_scene_fits() -> None:
    drawn = draw_pairs(np.random.default_rng(0), 50, ViewRanges((12, 16)), (12, 16), NORTH_UP)
    assert len(drawn) == 50


def test_a_view_larger_than_the_scene_does_not() -> None:
    assert (
        len(draw_pairs(np.random.default_rng(0), 50, ViewRanges((13, 16)), (12, 16), NORTH_UP)) == 0
    )


@pytest.mark.parametrize("ground", [NORTH_UP, NON_SQUARE, SKEWED])
def test_rotation_keeps_shapes_on_the_ground(ground: np.ndarray) -> None:
    options = ViewRanges((20, 20), (0.0, 1.0), rotation=180)
    drawn = draw_pairs(np.random.default_rng(0), 100, options, (300, 300), ground)
    sides = ground @ drawn[..., :2]
    plain = np.linalg.norm(ground, axis=0)
    np.testing.assert_allclose(
        np.linalg.norm(sides, axis=-2), np.broadcast_to(plain, (len(drawn), 2, 2))
    )


def test_bounding_windows_hold_views_tightly() -> None:
    matrices = np.array([[[1.0, 0, 3], [0, 1, 4]], [[0.5, 0, 3.25], [0, 0.5, 4]]])
    assert bounding_windows(matrices, (8, 10)).tolist() == [[4, 3, 8, 10], [4, 3, 4, 6]]
