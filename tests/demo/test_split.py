from dataclasses import replace

import numpy as np
import pytest

from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.demo.split import deal_blocks, labels_on_scene
from sscl_geo.errors import ConfigError, LabelError
from sscl_geo.io.labels import open_labels
from sscl_geo.io.scene import open_scene
from sscl_geo.splits import part_mask


def opened(sample):
    return open_scene(sample.scene), open_labels(sample.labels, sample.classes, sample.column)


def test_labels_on_pixels_without_data_do_not_count(made_sample):
    scene, labels = opened(made_sample)
    indices = labels_on_scene(labels, scene)
    assert np.array_equal(indices, labels.on_grid(scene.geobox))
    assert (indices[:6] == IGNORE_INDEX).all()


def test_tiles_leave_no_seam(made_sample, monkeypatch):
    scene, labels = opened(made_sample)
    whole = labels_on_scene(labels, scene)
    monkeypatch.setattr("sscl_geo.demo.split._TILE", 37)
    assert np.array_equal(labels_on_scene(labels, scene), whole)


def test_labels_on_no_data_alone_are_refused(made_sample, make_scene):
    empty = make_scene(np.full((3, 96, 128), -1, np.float32), name="empty.tif", nodata=-1)
    scene, labels = opened(replace(made_sample, scene=empty))
    with pytest.raises(LabelError, match="has data"):
        labels_on_scene(labels, scene)


def test_every_class_stays_in_training(made_sample):
    scene, labels = opened(made_sample)
    indices = labels_on_scene(labels, scene)
    for seed in range(5):
        blocks = deal_blocks(scene, indices, 32, 0.5, seed, test_needs_labels=False)
        found = np.unique(indices[part_mask(blocks, scene.geobox, "train")])
        assert set(found.tolist()) == {0, 1, IGNORE_INDEX}


def test_a_scene_of_one_block_is_refused_before_training(made_sample):
    scene, labels = opened(made_sample)
    with pytest.raises(ConfigError, match="smaller blocks"):
        deal_blocks(scene, labels_on_scene(labels, scene), 500, 0.6, 0, test_needs_labels=False)


def test_a_test_without_labels_is_refused_where_they_are_needed(made_sample):
    scene, labels = opened(made_sample)
    indices = labels_on_scene(labels, scene)
    rows, cols = np.nonzero(indices != IGNORE_INDEX)
    one = np.full_like(indices, IGNORE_INDEX)
    one[rows[0], cols[0]] = 0
    with pytest.raises(LabelError, match="test blocks"):
        deal_blocks(scene, one, 32, 0.5, 0, test_needs_labels=True)
