import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscl_geo.geometry.affine import transform_points
from sscl_geo.io.scene import open_scene
from sscl_geo.report.contact_sheet import (
    Pairs,
    draw_contact_sheet,
    draw_footprints,
    overlap_outline,
)
from sscl_geo.report.figure import to_png

ORIGIN = np.array([300_015.0, 4_100_025.0])


def view(dx: float, dy: float, degrees: float = 0, size: float = 30) -> np.ndarray:
    angle = np.radians(degrees)
    linear = size * np.array([[np.cos(angle), np.sin(angle)], [np.sin(angle), -np.cos(angle)]])
    return np.column_stack([linear, np.add(ORIGIN, [dx, dy])])


def made_pairs(count: int, size: int = 16) -> Pairs:
    matrices = np.stack([np.stack([view(0, 0), view(60 * i, -30)]) for i in range(count)])
    image = np.random.default_rng(0).random((count, 2, 3, size, size)).astype(np.float32)
    return Pairs(image, np.ones((count, 2, size, size), bool), matrices)


@given(
    dx=st.floats(-300, 300), dy=st.floats(-300, 300), turn=st.floats(0, 360), zoom=st.floats(0.5, 2)
)
def test_both_outlines_are_the_same_ground(dx, dy, turn, zoom):
    matrices = np.stack([view(0, 0), view(dx, dy, turn, 30 * zoom)])
    outlines = overlap_outline(matrices, (16, 16))
    if outlines is None:
        return
    ground = [transform_points(m, o) for m, o in zip(matrices, outlines, strict=True)]
    assert np.abs(ground[0] - ground[1]).max() < 1e-6
    for outline in outlines:
        assert outline.min() > -1e-6
        assert outline.max() < 16 + 1e-6


def test_the_outline_of_a_shifted_view_is_known():
    first, second = overlap_outline(np.stack([view(0, 0), view(120, 0)]), (16, 16))
    assert (first.min(axis=0).tolist(), first.max(axis=0).tolist()) == ([4, 0], [16, 16])
    assert (second.min(axis=0).tolist(), second.max(axis=0).tolist()) == ([0, 0], [12, 16])


def test_views_that_share_no_ground_have_no_outline():
    assert overlap_outline(np.stack([view(0, 0), view(5_000, 0)]), (16, 16)) is None


@pytest.mark.parametrize("count", [1, 5, 7])
def test_every_pair_is_on_the_sheet_with_its_share(count):
    figure = draw_contact_sheet(made_pairs(count), (0, 1, 2), columns=5)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    shown = [title for title in titles if title]
    assert len(shown) == count
    assert shown[0].startswith("1 ")
    assert sum(bool(axes.images) for axes in figure.axes) == 2 * count
    assert to_png(figure, dpi=40).startswith(b"\x89PNG")


def test_one_band_is_shown_in_grey():
    figure = draw_contact_sheet(made_pairs(2), (1,))
    picture = figure.axes[0].images[0].get_array()
    assert (picture[..., 0] == picture[..., 2]).all()


@pytest.mark.parametrize("grid", ["utm", "rotated", "south_up"])
def test_footprints_are_drawn_at_the_pixels_they_cover(make_scene, grid):
    scene = open_scene(make_scene(np.ones((3, 40, 50), np.uint8), grid=grid))
    a, b, c, d, e, f = scene.geobox.affine[:6]
    matrix = np.array([[a, b, c], [d, e, f]])
    second = matrix.copy()
    second[:, 2] += matrix[:, :2] @ [8, 4]
    image = np.ones((1, 2, 3, 16, 16), np.float32)
    pairs = Pairs(image, image[:, :, 0] > 0, np.stack([matrix, second])[None])
    lines = draw_footprints(scene, pairs).axes[0].lines
    corners = [line.get_xydata()[:4] for line in lines]
    square = [[0, 0], [16, 0], [16, 16], [0, 16]]
    assert np.allclose(corners[0], square, atol=1e-6)
    assert np.allclose(corners[1], np.add(square, [8, 4]), atol=1e-6)
