"""Labels that are coded by colours, against labels of values."""

import numpy as np
import pytest

from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.errors import LabelError
from sscl_geo.io.labels import open_labels

TABLE = ClassTable(
    (
        LandCoverClass(2, "surface", (255, 255, 255)),
        LandCoverClass(5, "building", (0, 0, 255)),
        LandCoverClass(7, "tree", (0, 255, 0)),
    )
)
BLACK = 255  # index of pixels without a label


@pytest.fixture
def truth():
    rng = np.random.default_rng(0)
    return rng.choice([0, 1, 2, BLACK], (40, 50))


def painted(truth):
    colors = np.zeros((256, 3), np.uint8)
    colors[:3] = [item.color for item in TABLE]
    return np.ascontiguousarray(np.moveaxis(colors[truth], -1, 0))


def test_a_pixel_has_the_class_of_its_colour(make_scene, truth):
    labels = open_labels(make_scene(painted(truth)), TABLE)
    assert labels.classes == TABLE
    assert np.array_equal(labels.on_grid(labels.scene.geobox), truth)


def test_other_grids_get_the_same_labels_as_from_values(make_scene, truth):
    values = np.array([*TABLE.values, *[255] * 253], np.uint8)[truth]
    by_value = open_labels(make_scene(values[None], name="values.tif", nodata=255), TABLE)
    by_color = open_labels(make_scene(painted(truth), name="colors.tif"), TABLE)
    geobox = by_value.scene.geobox.zoom_out(1.7)
    assert np.array_equal(by_color.on_grid(geobox), by_value.on_grid(geobox))


def test_compression_with_losses_changes_no_label(make_scene, truth):
    noise = np.random.default_rng(1).integers(-30, 31, (3, *truth.shape))
    noisy = np.clip(painted(truth) + noise, 0, 255).astype(np.uint8)
    labels = open_labels(make_scene(noisy), TABLE)
    assert np.array_equal(labels.on_grid(labels.scene.geobox), truth)


def test_a_remap_goes_by_the_values_of_the_table(make_scene, truth):
    labels = open_labels(make_scene(painted(truth)), TABLE, remap={7: None})
    found = labels.on_grid(labels.scene.geobox)
    assert np.array_equal(found, np.where(truth == 2, BLACK, truth))


def test_an_image_is_refused(make_scene):
    image = np.random.default_rng(0).integers(0, 256, (3, 20, 20)).astype(np.uint8)
    labels = open_labels(make_scene(image), TABLE)
    with pytest.raises(LabelError, match=r"which no class has \(#ffffff surface"):
        labels.on_grid(labels.scene.geobox)


def test_colours_without_a_class_table_are_refused(make_scene, truth):
    with pytest.raises(LabelError, match="3 bands; give one band of class values, or three"):
        open_labels(make_scene(painted(truth)))
