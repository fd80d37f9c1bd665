import geopandas as gpd
import numpy as np
import pytest

from sscl_geo.classes import ClassTable
from sscl_geo.io.scene import open_scene
from sscl_geo.report.figure import to_png
from sscl_geo.report.overview import draw_overview
from sscl_geo.report.split_picture import draw_split
from sscl_geo.splits import spatial_blocks


@pytest.mark.parametrize("grid", ["utm", "rotated", "south_up", "geographic"])
def test_test_blocks_are_outlined_at_their_pixels(make_scene, grid):
    scene = open_scene(make_scene(np.ones((3, 40, 60), np.uint8), grid=grid))
    blocks = spatial_blocks(scene.geobox, 20, {"train": 0.5, "test": 0.5}, seed=1)
    axes = draw_split(scene, blocks, np.zeros((40, 60, 4), np.uint8)).axes[0]
    tinted = axes.patches
    test = blocks[blocks["part"] == "test"]
    assert isinstance(test, gpd.GeoDataFrame)
    assert len(tinted) == len(test)
    for patch, row, col in zip(tinted, test["row"], test["col"], strict=True):
        xy = patch.get_xy()
        assert np.allclose(xy.min(axis=0), [20 * col, 20 * row], atol=1e-6)
        assert np.allclose(xy.max(axis=0), [20 * col + 20, 20 * row + 20], atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_the_overview_shows_each_picture_and_the_legend(count):
    pictures = {f"map {i}": np.full((8, 10, 4), 255, np.uint8) for i in range(count)}
    figure = draw_overview(pictures, ClassTable.from_values([1, 2]))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title for title in titles if title] == list(pictures)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["class 1", "class 2"]
    assert to_png(figure, 40).startswith(b"\x89PNG")


def test_single_labels_are_thickened_to_be_seen(make_scene):
    scene = open_scene(make_scene(np.ones((3, 40, 60), np.uint8)))
    blocks = spatial_blocks(scene.geobox, 20, {"train": 1.0}, seed=1)
    labels = np.zeros((40, 60, 4), np.uint8)
    labels[0, 0] = labels[10, 20] = (1, 2, 3, 255)
    drawn = draw_split(scene, blocks, labels).axes[0].images[1].get_array()
    expected = np.zeros((40, 60), bool)
    expected[:2, :2] = expected[9:12, 19:22] = True
    assert np.array_equal(drawn[..., 3] > 0, expected)
