import numpy as np
import pytest
import rasterio

from experiments.few_labels.config import StudyConfig
from experiments.few_labels.ground import Ground
from sscl_geo.classes import IGNORE_INDEX


@pytest.fixture
def ground(made, tmp_path):
    return Ground.prepare(made, tmp_path / "work")


def test_parts_share_no_pixel(ground):
    assert sum(mask.astype(int) for mask in ground.parts.values()).max() == 1


def test_pretraining_sees_the_training_part_alone(ground):
    with rasterio.open(ground.train_path) as copy, rasterio.open(ground.path) as scene:
        np.testing.assert_array_equal(copy.dataset_mask() > 0, ground.parts["train"])
        inside = ground.parts["train"]
        np.testing.assert_array_equal(copy.read()[:, inside], scene.read()[:, inside])


def test_bands_are_standardised_by_the_training_part(ground):
    seen = ground.image.numpy()[:, ground.parts["train"]]
    np.testing.assert_allclose(seen.mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(seen.std(axis=1), 1, atol=1e-4)


def test_shares_are_nested_and_lie_in_the_training_part(ground):
    config = StudyConfig(scenes=(), methods={}, shares=(0.05, 0.5, 1.0))
    few, many = (ground.share(config, "patch", share, 3) for share in (0.05, 0.5))
    taken = few != IGNORE_INDEX
    assert 0 < taken.sum() < (many != IGNORE_INDEX).sum()
    assert ground.parts["train"][taken].all()
    np.testing.assert_array_equal(many[taken], few[taken])


def test_classes_are_merged_as_the_config_says(ground):
    assert ground.classes.values == (1, 2, 3, 4)
    assert ground.merged.tolist() == [2, 0, 1, 2]
