import numpy as np
import pytest

from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.demo.split import deal_blocks
from sscl_geo.errors import ConfigError, LabelError, UnevenSplitWarning
from sscl_geo.io.labelled_ground import labels_on_scene
from sscl_geo.io.labels import open_labels
from sscl_geo.io.scene import open_scene
from sscl_geo.splits import part_mask


def opened(sample):
    return open_scene(sample.scene), open_labels(sample.labels, sample.classes, sample.column)


def test_every_class_stays_in_training(made_sample):
    scene, labels = opened(made_sample)
    indices = labels_on_scene(labels, scene)
    for seed in range(5):
        blocks = deal_blocks(scene, indices, 32, 0.5, seed, test_needs_labels=False)
        found = np.unique(indices[part_mask(blocks, scene.geobox, "train")])
        assert set(found.tolist()) == {0, 1, IGNORE_INDEX}


def test_a_scene_of_one_block_is_refused_before_training(made_sample):
    scene, labels = opened(made_sample)
    with (
        pytest.warns(UnevenSplitWarning, match="'test' gets 0%"),
        pytest.raises(ConfigError, match="one part gets none"),
    ):
        deal_blocks(scene, labels_on_scene(labels, scene), 500, 0.6, 0, test_needs_labels=False)


def test_a_test_without_labels_is_refused_where_they_are_needed(made_sample):
    scene, labels = opened(made_sample)
    indices = labels_on_scene(labels, scene)
    rows, cols = np.nonzero(indices != IGNORE_INDEX)
    one = np.full_like(indices, IGNORE_INDEX)
    one[rows[0], cols[0]] = 0
    with pytest.raises(LabelError, match="test blocks"):
        deal_blocks(scene, one, 32, 0.5, 0, test_needs_labels=True)
