import numpy as np
import pytest

from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.errors import ConfigError, LabelError
from sscl_geo.io.labels import open_labels
from sscl_geo.io.region import Region
from sscl_geo.io.scene import open_scene
from sscl_geo.samplers.held_out import held_out_blocks


@pytest.fixture
def made(make_scene):
    """Labels of three classes in the upper half; the third class in one block alone."""
    rng = np.random.default_rng(0)
    labels = np.full((150, 210), 255, np.uint8)
    labels[:80] = rng.integers(1, 3, (80, 210))
    labels[5, 5] = 3
    scene = open_scene(make_scene(rng.random((1, 150, 210)).astype(np.float32), name="s.tif"))
    return scene, open_labels(make_scene(labels[None], name="l.tif", nodata=255)), labels


def test_parts_lie_a_buffer_apart(made):
    scene, labels, _ = made
    blocks = held_out_blocks([scene], labels, 0.3, block_size=20, buffer=4)
    train, held = (Region(blocks, part).mask(scene.geobox) for part in ("train", "val"))
    assert held.any()
    rows, cols = np.nonzero(held)
    for row, col in zip(rows.tolist(), cols.tolist(), strict=True):
        around = train[max(row - 4, 0) : row + 5, max(col - 4, 0) : col + 5]
        assert not around.any()
    # All else is for training.
    near = np.zeros_like(held)
    for row, col in zip(rows.tolist(), cols.tolist(), strict=True):
        near[max(row - 4, 0) : row + 5, max(col - 4, 0) : col + 5] = True
    np.testing.assert_array_equal(train, ~near)


def test_about_the_share_of_labelled_blocks_is_held_out(made):
    scene, labels, truth = made
    blocks = held_out_blocks([scene], labels, 0.3, block_size=20, buffer=0)
    held = Region(blocks, "val").mask(scene.geobox)
    share = held[truth != IGNORE_INDEX].mean()
    assert 0.2 < share < 0.4
    assert not held[100:].any()


def test_training_keeps_a_class_that_occurs_once(made):
    scene, labels, _ = made
    for seed in range(5):
        blocks = held_out_blocks([scene], labels, 0.5, block_size=20, buffer=0, seed=seed)
        assert Region(blocks, "train").mask(scene.geobox)[5, 5]


def test_too_few_blocks_are_refused(made):
    scene, labels, _ = made
    with pytest.raises(ConfigError, match="too few"):
        held_out_blocks([scene], labels, 0.2, block_size=1000, buffer=0)


@pytest.mark.parametrize("share", [0, 1, -0.1, 2])
def test_an_impossible_share_is_refused(made, share):
    scene, labels, _ = made
    with pytest.raises(ConfigError, match="val_share"):
        held_out_blocks([scene], labels, share, block_size=20, buffer=0)


def test_classes_are_counted_where_the_bands_asked_for_have_data(make_scene, made):
    _, labels, _ = made
    pixels = np.ones((2, 150, 210), np.uint8)
    pixels[1] = 0
    scene = open_scene(make_scene(pixels, nodata=0, descriptions=("red", "nir")))
    options = {"block_size": 20, "buffer": 0}
    with pytest.raises(LabelError, match="no labelled pixel with data"):
        held_out_blocks([scene], labels, 0.3, **options)
    blocks = held_out_blocks([scene], labels, 0.3, bands=["red"], **options)
    assert Region(blocks, "val").mask(scene.geobox).any()
