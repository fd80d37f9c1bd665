from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.datasets.labelled_patches import LabelledPatches, PatchIndex
from sscl_geo.io.labels import open_labels
from sscl_geo.io.reader_pool import ReaderPool
from sscl_geo.io.region import Region
from sscl_geo.io.scene import open_scene
from sscl_geo.splits import spatial_blocks

SHAPE = (45, 53)


@pytest.fixture
def made(make_scene):
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 1000, (3, *SHAPE)).astype(np.uint16)
    pixels[:, 30:33] = 0
    labels = rng.choice([1, 4, 255], SHAPE).astype(np.uint8)
    scene = open_scene(make_scene(pixels, name="scene.tif", nodata=0, grid="rotated"))
    path = make_scene(labels[None], name="labels.tif", nodata=255, grid="rotated")
    return scene, open_labels(path), pixels, labels


@pytest.mark.parametrize(("row", "col"), [(0, 0), (7, 21), (29, 37), (-5, -3), (40, 50), (90, 0)])
def test_a_patch_is_a_window_of_scene_and_labels(made, row, col):
    scene, labels, pixels, values = made
    sample = LabelledPatches([scene], labels, 16)[PatchIndex(0, row, col)]
    border = ((100, 100), (100, 100))
    image = np.pad(pixels, ((0, 0), *border))[:, row + 100 :, col + 100 :][:, :16, :16]
    index = np.pad(values, border, constant_values=255)[row + 100 :, col + 100 :][:16, :16]
    valid = image[0] != 0
    assert np.array_equal(sample["image"].numpy(), image)
    assert np.array_equal(sample["valid"].numpy(), valid)
    expected = np.where(valid, np.select([index == 1, index == 4], [0, 1], IGNORE_INDEX), 255)
    assert np.array_equal(sample["mask"].numpy(), expected)


def test_nothing_outside_the_region_is_seen(made):
    scene, labels, *_ = made
    region = Region(spatial_blocks(scene.geobox, 10, {"train": 1, "test": 1}), "train")
    inside = region.mask(scene.geobox)
    patches = LabelledPatches([scene], labels, 24, region)
    for row, col in ((0, 0), (11, 19), (21, 29)):
        sample, window = patches[PatchIndex(0, row, col)], np.s_[row : row + 24, col : col + 24]
        hidden = ~inside[window]
        assert not sample["valid"].numpy()[hidden].any()
        assert (sample["mask"].numpy()[hidden] == IGNORE_INDEX).all()
        assert (sample["image"].numpy()[:, hidden] == 0).all()
        assert sample["valid"].numpy()[~hidden].any()


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_more_files_are_open_than_a_process_may_have(made, monkeypatch):
    scene, labels, *_ = made
    monkeypatch.setattr(ReaderPool, "of", partial(ReaderPool.of, limit=3))
    patches = LabelledPatches([scene] * 9, labels, 8)
    before = open_files()
    for number in range(9):
        patches[PatchIndex(number, 0, 0)]
    assert open_files() <= before + 4  # the labels' own
