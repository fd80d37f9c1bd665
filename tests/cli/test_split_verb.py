import numpy as np
import pytest

from sscl_geo.classes import IGNORE_INDEX, ClassTable
from sscl_geo.cli.split import split
from sscl_geo.errors import ConfigError
from sscl_geo.io.labels import open_labels
from sscl_geo.io.scene import open_scene
from sscl_geo.splits import part_mask, read_blocks


@pytest.fixture
def files(make_scene):
    truth = np.random.default_rng(0).integers(1, 4, (1, 64, 64)).astype(np.uint8)
    return make_scene(truth, name="scene.tif"), make_scene(truth, name="labels.tif")


def test_few_labels_lie_in_the_training_blocks(files, tmp_path):
    scene, labels = files
    out = tmp_path / "split"
    options = {"block_size": 16, "buffer": 2, "label_shares": [0.25, 1.0], "patch_size": 8}
    assert split([str(scene)], out=out, labels=labels, **options) == out
    geobox = open_scene(scene).geobox
    blocks = read_blocks(out / "blocks.gpkg")
    assert set(blocks["part"]) == {"train", "val", "test"}
    train = part_mask(blocks, geobox, "train")
    table = ClassTable.from_csv(out / "classes.csv")
    few, whole = (
        open_labels(out / f"labels_{n}pct_patch_seed0.tif", table).on_grid(geobox) != IGNORE_INDEX
        for n in (25, 100)
    )
    assert np.array_equal(whole, train)
    assert few.any()
    assert not (few & ~whole).any()


def test_labels_on_pixels_without_data_are_not_drawn(make_scene, tmp_path):
    rng = np.random.default_rng(0)
    pixels, classes = rng.integers(1, 4, (2, 1, 64, 96)).astype(np.uint8)
    pixels[0, np.add(*np.mgrid[:64, :96]) > 80] = 0
    scene = make_scene(pixels, name="scene.tif", nodata=0)
    labels = make_scene(classes, name="labels.tif")
    options = {"block_size": 16, "label_shares": [0.1, 1.0], "drawn": "pixel"}
    out = split([str(scene)], out=tmp_path / "split", labels=labels, **options)
    few, whole = (
        open_labels(out / f"labels_{n}pct_pixel_seed0.tif").on_grid(open_scene(scene).geobox)
        != IGNORE_INDEX
        for n in (10, 100)
    )
    assert pixels[0][whole].all()
    assert few.sum() == pytest.approx(0.1 * whole.sum(), abs=2)
    assert whole.sum() == pytest.approx(0.5 * np.count_nonzero(pixels), rel=0.2)


def test_it_says_what_the_parts_and_the_shares_hold(files, tmp_path, capsys):
    scene, labels = map(str, files)
    options = {"block_size": 16, "label_shares": [0.25, 1.0], "patch_size": 16}
    split([scene], out=tmp_path / "split", labels=labels, shares=(0.5, 0.25, 0.25), **options)
    lines = [line.replace("│", "").split() for line in capsys.readouterr().out.splitlines()]
    for row in (
        ["train", "8", "2,048", "2,048"],
        ["val", "4", "1,024", "1,024"],
        ["test", "4", "1,024", "1,024"],
        ["25", "%", "of", "train", "512"],
        ["100", "%", "of", "train", "2,048"],
    ):
        assert row in lines


def test_several_scenes_are_dealt_as_a_whole(make_scene, tmp_path):
    pixels = np.zeros((1, 9, 9), np.uint8)
    grids = ("utm", "south_up", "rotated")
    scenes = [str(make_scene(pixels, name=f"{grid}.tif", grid=grid)) for grid in grids]
    out = split(scenes, out=tmp_path / "split", shares=(1, 1, 1))
    assert sorted(read_blocks(out / "blocks.gpkg")["part"]) == ["test", "train", "val"]


def test_shares_without_labels_are_refused(files):
    with pytest.raises(ConfigError, match="need labels"):
        split([str(files[0])], label_shares=[0.1])


def test_labels_of_several_scenes_are_refused(files):
    with pytest.raises(ConfigError, match="Several scenes"):
        split([str(f) for f in files], labels=files[1])
