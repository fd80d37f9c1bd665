import numpy as np
import pytest

from sscl_geo.classes import ClassTable
from sscl_geo.errors import SceneError
from sscl_geo.io.scene import open_scene
from sscl_geo.report.preview import (
    FALSE_COLOR,
    Stretch,
    best_bands,
    class_picture,
    color_bands,
    map_picture,
    scene_picture,
)


def test_pixels_without_data_are_clear(make_scene):
    pixels = np.random.default_rng(0).uniform(1, 9, (3, 10, 12)).astype(np.float32)
    pixels[:, 2, 3] = -99999
    pixels[1, 4, 5] = np.nan
    picture = scene_picture(open_scene(make_scene(pixels, nodata=-99999)))
    assert picture.shape == (10, 12, 4)
    assert np.argwhere(picture[..., 3] == 0).tolist() == [[2, 3], [4, 5]]


def test_nodata_does_not_move_the_stretch():
    image = np.linspace(0, 1, 100, dtype=np.float32).reshape(1, 10, 10)
    valid = np.ones((10, 10), bool)
    valid[0] = False
    spoilt = np.where(valid, image, -99999).astype(np.float32)
    assert Stretch.of(spoilt, valid).low == Stretch.of(image, valid).low


def test_the_stretch_spans_black_to_white():
    image = np.arange(100, dtype=np.float32).reshape(1, 10, 10)
    valid = np.ones((10, 10), bool)
    picture = Stretch.of(image, valid, percent=0).picture(image, valid)
    assert picture[0, 0].tolist() == [0, 0, 0, 255]
    assert picture[9, 9].tolist() == [255, 255, 255, 255]


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_band_gives_a_picture(value):
    image = np.full((3, 4, 4), value, np.float32)
    assert Stretch.of(image, np.ones((4, 4), bool)).picture(image, np.ones((4, 4), bool)).any()


def test_an_empty_view_gives_a_clear_picture():
    image, valid = np.zeros((3, 4, 4), np.float32), np.zeros((4, 4), bool)
    assert not Stretch.of(image, valid).picture(image, valid)[..., 3].any()


def test_bands_are_chosen_by_name():
    bands = ("Blue", "green", "red", "nir", "swir1")
    assert best_bands(bands) == (2, 1, 0)
    assert color_bands(bands, FALSE_COLOR) == (3, 2, 1)


@pytest.mark.parametrize(
    ("bands", "chosen"), [(("a", "b", "c", "d"), (0, 1, 2)), (("a", "b"), (0,)), (("a",), (0,))]
)
def test_unnamed_bands_are_shown_in_order(bands, chosen):
    assert best_bands(bands) == chosen
    assert color_bands(bands) is None


def test_large_scenes_are_read_small(make_scene):
    path = make_scene(np.ones((1, 301, 97), np.uint8))
    assert scene_picture(open_scene(path), max_side=100).shape == (100, 32, 4)


def test_maps_have_the_colours_of_their_classes(make_scene):
    classes = ClassTable.from_values([1, 4])
    values = np.array([[[1, 4], [255, 9]]], np.uint8)
    picture = map_picture(make_scene(values, nodata=255), classes)
    assert tuple(picture[0, 0]) == (*classes[0].color, 255)
    assert tuple(picture[0, 1]) == (*classes[1].color, 255)
    assert not picture[1].any()
    assert np.array_equal(picture, class_picture(values[0], classes))


def test_a_file_that_is_no_raster_is_told(tmp_path):
    (tmp_path / "map.tif").write_text("text")
    with pytest.raises(SceneError, match="Cannot read"):
        map_picture(tmp_path / "map.tif", ClassTable.from_values([1]))
