import numpy as np
import pytest

from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.errors import LabelError
from sscl_geo.io.labelled_ground import labels_on_scene
from sscl_geo.io.labels import open_labels
from sscl_geo.io.scene import open_scene


@pytest.fixture
def made(make_scene):
    """A scene with a slanted edge beyond which it has no data, and labels everywhere but there."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 200, (2, 60, 80)).astype(np.uint8)
    rows, cols = np.mgrid[:60, :80]
    pixels[0, rows + cols > 90] = 0
    classes = rng.choice([1, 4, 255], (60, 80)).astype(np.uint8)
    scene = open_scene(make_scene(pixels, name="scene.tif", nodata=0))
    return scene, open_labels(make_scene(classes[None], name="labels.tif", nodata=255)), pixels


def test_labels_on_pixels_without_data_do_not_count(made):
    scene, labels, pixels = made
    expected = np.where(pixels.all(axis=0), labels.on_grid(scene.geobox), IGNORE_INDEX)
    assert np.array_equal(labels_on_scene(labels, scene), expected)


def test_tiles_leave_no_seam(made, monkeypatch):
    scene, labels, _ = made
    whole = labels_on_scene(labels, scene)
    monkeypatch.setattr("sscl_geo.io.labelled_ground._TILE", 37)
    assert np.array_equal(labels_on_scene(labels, scene), whole)


def test_labels_on_no_data_alone_are_refused(made, make_scene):
    empty = open_scene(make_scene(np.zeros((1, 60, 80), np.uint8), name="empty.tif", nodata=0))
    with pytest.raises(LabelError, match="has data"):
        labels_on_scene(made[1], empty)
