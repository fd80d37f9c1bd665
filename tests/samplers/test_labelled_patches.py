import numpy as np
import pytest
from affine import Affine

from sscl_geo.errors import LabelError
from sscl_geo.io.labels import open_labels
from sscl_geo.io.region import Region
from sscl_geo.io.scene import open_scene
from sscl_geo.samplers.labelled_patches import (
    LabelledPatchSampler,
    count_labels,
    covering_patches,
)
from sscl_geo.splits import spatial_blocks

SHAPE = (101, 87)


def sparse_labels(seed=0):
    rng = np.random.default_rng(seed)
    labels = np.full(SHAPE, 255, np.uint8)
    for value, places in ((1, 60), (2, 8), (3, 1)):
        labels[rng.integers(0, SHAPE[0], places), rng.integers(0, SHAPE[1], places)] = value
    return labels


@pytest.fixture
def made(make_scene):
    labels = sparse_labels()
    scene = open_scene(make_scene(np.zeros((1, *SHAPE), np.uint8), name="scene.tif"))
    return scene, open_labels(make_scene(labels[None], name="labels.tif", nodata=255)), labels


def window(index, size):
    return np.s_[max(index.row, 0) : index.row + size, max(index.col, 0) : index.col + size]


@pytest.mark.parametrize("cell", [1, 4, 7, 200])
def test_cells_hold_every_labelled_pixel_once(made, cell):
    scene, labels, values = made
    cells = count_labels([scene], labels, cell)
    assert cells.counts.sum(axis=0).tolist() == [np.count_nonzero(values == v) for v in (1, 2, 3)]
    for row, col, counts in zip(cells.row, cells.col, cells.counts, strict=True):
        inside = values[row * cell : (row + 1) * cell, col * cell : (col + 1) * cell]
        assert counts.tolist() == [np.count_nonzero(inside == v) for v in (1, 2, 3)]


def test_cells_hold_no_label_outside_the_region(made):
    scene, labels, values = made
    region = Region(spatial_blocks(scene.geobox, 16, {"train": 1, "test": 1}), "train")
    inside = region.mask(scene.geobox)
    cells = count_labels([scene], labels, 8, region)
    assert cells.counts.sum() == np.count_nonzero(inside & (values != 255))
    assert cells.allowed[0][-1, -1] * 64 == np.count_nonzero(inside)


@pytest.mark.parametrize("size", [8, 32, 87, 128])
def test_every_window_holds_a_label_and_stays_in_the_scene(made, size):
    scene, labels, values = made
    cells = count_labels([scene], labels, max(1, size // 4))
    for index in LabelledPatchSampler(cells, [scene], size, 50):
        assert (values[window(index, size)] != 255).any()
        assert 0 <= index.row <= max(0, SHAPE[0] - size)
        assert 0 <= index.col <= max(0, SHAPE[1] - size)


def test_a_balanced_draw_sees_rare_classes_as_often(made):
    scene, labels, values = made
    cells = count_labels([scene], labels, 4)
    shares = [
        np.mean(
            [
                (values[window(index, 16)] == 3).any()
                for index in LabelledPatchSampler(cells, [scene], 16, 600, class_balanced=balanced)
            ]
        )
        for balanced in (True, False)
    ]
    assert shares[0] > 1 / 3 - 0.06
    assert shares[1] < 0.2


def test_seed_and_epoch_decide_the_draw(made):
    scene, labels, _ = made
    cells = count_labels([scene], labels, 4)
    sampler = LabelledPatchSampler(cells, [scene], 16, 20, seed=5)
    first, second = list(sampler), list(sampler)
    sampler.set_epoch(0)
    assert first == list(sampler)
    assert first != second
    assert first != list(LabelledPatchSampler(cells, [scene], 16, 20, seed=6))


def test_windows_keep_to_the_region_where_they_can(made):
    scene, labels, _ = made
    region = Region(spatial_blocks(scene.geobox, 48, {"train": 1, "test": 1}), "train")
    inside = region.mask(scene.geobox)
    cells = count_labels([scene], labels, 4, region)
    sampler = LabelledPatchSampler(cells, [scene], 16, 300)
    kept = np.mean([inside[window(index, 16)].mean() for index in sampler])
    assert kept > 0.95


def test_covering_patches_show_each_labelled_pixel_once(made):
    scene, labels, values = made
    seen = np.zeros(SHAPE, int)
    for index in covering_patches(count_labels([scene], labels, 16)):
        seen[window(index, 16)] += 1
    assert (seen[values != 255] == 1).all()
    assert seen.max() == 1


def test_scenes_without_labels_give_no_window(made, make_scene):
    scene, labels, _ = made
    other = open_scene(
        make_scene(
            np.zeros((1, 64, 64), np.uint8),
            name="other.tif",
            transform=Affine(30, 0, 900_015, 0, -30, 4_100_025),
        )
    )
    cells = count_labels([other, scene], labels, 4)
    assert {i.scene for i in LabelledPatchSampler(cells, [other, scene], 16, 50)} == {1}


def test_no_labelled_pixel_at_all_is_refused(made):
    scene, labels, values = made
    blocks = spatial_blocks(scene.geobox, 1, {"train": 1, "test": 1})
    held = values[blocks["row"], blocks["col"]] != 255
    blocks["part"] = np.where(held, "test", "train")
    with pytest.raises(LabelError, match="'train' blocks"):
        count_labels([scene], labels, 4, Region(blocks, "train"))


def test_labels_without_data_under_them_do_not_count(make_scene):
    labels = sparse_labels()
    image = np.random.default_rng(1).integers(0, 2, (2, *SHAPE)).astype(np.uint8)
    scene = open_scene(make_scene(image, nodata=0, descriptions=("red", "green")))
    known = open_labels(make_scene(labels[None], name="labels.tif", nodata=255))
    for bands, has_data in ((None, image.all(axis=0)), (["green"], image[1] > 0)):
        counted = count_labels([scene], known, 8, bands=bands).counts.sum(axis=0)
        expected = [np.count_nonzero((labels == v) & has_data) for v in (1, 2, 3)]
        assert counted.tolist() == expected


def test_labels_on_ground_without_data_alone_are_refused(make_scene):
    scene = open_scene(make_scene(np.zeros((1, *SHAPE), np.uint8), nodata=0))
    known = open_labels(make_scene(sparse_labels()[None], name="labels.tif", nodata=255))
    with pytest.raises(LabelError, match="no labelled pixel with data"):
        count_labels([scene], known, 8)
