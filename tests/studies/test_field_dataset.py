import shutil

import numpy as np
import pytest
from torchgeo.datasets import LoveDA, Potsdam2D, Vaihingen2D

from sscl_geo.errors import ConfigError, SceneError
from sscl_geo.studies import DATASETS, find_tiles
from sscl_geo.studies.deepglobe import DEEPGLOBE
from sscl_geo.studies.loveda import LOVEDA
from sscl_geo.studies.potsdam import POTSDAM
from sscl_geo.studies.vaihingen import VAIHINGEN


def find(dataset, root, labels="all", test_labels="all"):
    return find_tiles(dataset, root, labels=labels, test_labels=test_labels)


def names(tiles, part):
    return [tile.name for tile in tiles if tile.part == part]


def test_potsdam_is_split_as_officially(potsdam):
    tiles = find(POTSDAM, potsdam)
    for part, count in (("train", 24), ("test", 14)):
        assert len(names(tiles, part)) == count
        assert {f"top_potsdam_{n}" for n in names(tiles, part)} == set(Potsdam2D.splits[part])


def test_vaihingen_is_split_as_officially(vaihingen):
    tiles = find(VAIHINGEN, vaihingen)
    for part, count in (("train", 16), ("test", 17)):
        assert len(names(tiles, part)) == count
        official = {f"top_mosaic_09cm_area{n}.tif" for n in names(tiles, part)}
        assert official == set(Vaihingen2D.splits[part])


def test_labels_of_vaihingen_are_never_its_images(vaihingen):
    assert all(t.image != t.labels for t in find(VAIHINGEN, vaihingen))


def test_loveda_is_tested_on_val_as_test_has_no_labels(loveda):
    tiles = find(LOVEDA, loveda)
    assert len(names(tiles, "train")) == len(names(tiles, "test")) == 6
    assert {t.image.parts[-4] for t in tiles if t.part == "test"} == {"Val"}
    train = {f["image"] for f in LoveDA(root=loveda, split="train").files}
    assert {str(t.image) for t in tiles if t.part == "train"} == train


def test_a_tenth_of_deepglobe_is_put_aside_whatever_the_order(deepglobe, tmp_path):
    tiles = find(DEEPGLOBE, deepglobe)
    assert (len(names(tiles, "train")), len(names(tiles, "test"))) == (18, 2)
    copy = tmp_path / "train"  # as it is named in other copies
    shutil.copytree(deepglobe / "land-train", copy)
    assert names(find(DEEPGLOBE, tmp_path), "test") == names(tiles, "test")


def test_test_labels_may_be_others(potsdam):
    tiles = find(POTSDAM, potsdam, test_labels="no_boundary")
    eroded = {t.part for t in tiles if "noBoundary" in t.labels.name}
    assert eroded == {"test"}


@pytest.mark.parametrize("nested", ["4_Ortho_RGBIR", "5_Labels_all"])
def test_archives_may_have_unpacked_into_one_more_folder(potsdam, tmp_path, nested):
    for folder in ("4_Ortho_RGBIR", "5_Labels_all"):
        inner = tmp_path / folder / (folder if folder == nested else "")
        shutil.copytree(potsdam / folder, inner, dirs_exist_ok=True)
    assert len(find(POTSDAM, tmp_path)) == 38


@pytest.mark.parametrize("key", DATASETS)
def test_missing_data_is_told_with_owner_page_and_layout(key, tmp_path):
    dataset = DATASETS[key]
    with pytest.raises(SceneError) as told:
        find(dataset, tmp_path)
    message = str(told.value)
    for part in (dataset.owner, dataset.page, dataset.url, dataset.layout, str(tmp_path)):
        assert part in message
    assert "\n" not in message


def test_one_missing_tile_is_named_and_not_passed_over(potsdam, tmp_path):
    shutil.copytree(potsdam, tmp_path / "data")
    gone = tmp_path / "data/5_Labels_all/top_potsdam_7_13_label.tif"
    gone.unlink()
    with pytest.raises(SceneError, match=r"top_potsdam_7_13_label\.tif is missing"):
        find(POTSDAM, tmp_path / "data")
    # TorchGeo's dataset has a tile less and does not say so.
    for file in (tmp_path / "data/5_Labels_all").iterdir():
        file.rename(tmp_path / "data" / file.name)
    assert len(Potsdam2D(tmp_path / "data", "test", checksum=False)) == 13


def test_unknown_label_files_are_refused(loveda):
    with pytest.raises(ConfigError, match="no label files 'no_boundary'"):
        find(LOVEDA, loveda, labels="no_boundary")


def test_sizes_are_those_of_the_files(vaihingen):
    shapes = {t.name: t.shape for t in find(VAIHINGEN, vaihingen)}
    assert shapes["1"] == (70, 90)
    assert len(set(shapes.values())) == 33


@pytest.mark.parametrize("dataset", [d for d in DATASETS.values() if d.coding == "colors"])
def test_colours_of_classes_are_corners_of_the_cube(dataset):
    colors = np.array([c.color for c in dataset.classes])
    assert set(np.unique(colors)) == {0, 255}
    assert len(np.unique(colors, axis=0)) == len(colors)
