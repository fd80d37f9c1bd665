"""Damaged files give what is left of them."""

import numpy as np
import pytest
import rasterio

from sscl_geo.datasets.labelled_patches import LabelledPatches, PatchIndex
from sscl_geo.errors import SkippedPlaceWarning
from sscl_geo.io.decoded_cache import DecodedCache
from sscl_geo.io.labels import open_labels
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.salvage import read_sound
from sscl_geo.io.scene import open_scene
from sscl_geo.io.statistics import band_statistics
from sscl_geo.io.validity import validity_table
from sscl_geo.samplers.labelled_patches import count_labels

NOISE = np.random.default_rng(0).integers(1, 60000, (2, 150, 170)).astype(np.uint16)
DAMAGED = np.zeros((150, 170), bool)
DAMAGED[64:128, 64:128] = True


@pytest.fixture
def damaged(make_scene) -> SceneReader:
    """A compressed scene with nodata value 0, whose block in the middle cannot be decoded."""
    path = make_scene(NOISE, nodata=0, tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    with rasterio.open(path) as source:
        offset = int(source.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(200))
    return SceneReader(open_scene(path))


def test_all_but_the_damaged_block_is_read(damaged: SceneReader) -> None:
    with pytest.warns(SkippedPlaceWarning, match=r"Skipped 1 block: Cannot decode .*scene\.tif"):
        patch = read_sound(damaged, 0, 0, 150, 170)
    assert np.array_equal(patch.valid, ~DAMAGED)
    assert np.array_equal(patch.pixels[:, patch.valid], NOISE[:, ~DAMAGED])


def test_windows_that_cut_blocks_come_out_the_same(damaged: SceneReader) -> None:
    with pytest.warns(SkippedPlaceWarning):
        patch = read_sound(damaged, 10, 70, 100, 90)
    assert np.array_equal(patch.valid, ~DAMAGED[10:110, 70:160])
    assert np.array_equal(
        patch.pixels[:, patch.valid], NOISE[:, 10:110, 70:160][:, ~DAMAGED[10:110, 70:160]]
    )


def test_windows_beside_the_damage_are_read_without_a_word(damaged: SceneReader) -> None:
    patch = read_sound(damaged, 0, 0, 64, 170)
    assert np.array_equal(patch.pixels, NOISE[:, :64])


def test_a_damaged_block_is_no_valid_ground(damaged: SceneReader) -> None:
    with pytest.warns(SkippedPlaceWarning):
        table = validity_table(damaged)
    assert table is not None
    share = table.valid_share(*(np.array([n]) for n in (0, 0, 150, 170)))
    assert share == pytest.approx(1 - DAMAGED.mean())


def test_statistics_are_those_of_the_rest(damaged: SceneReader) -> None:
    with pytest.warns(SkippedPlaceWarning):
        statistics = band_statistics([damaged.scene])
    rest = NOISE[:, ~DAMAGED].astype(np.float64)
    assert statistics.mean == pytest.approx(rest.mean(axis=1))
    assert statistics.valid_share == pytest.approx(1 - DAMAGED.mean())


def test_a_decoded_copy_has_the_rest(damaged: SceneReader, tmp_path) -> None:
    with pytest.warns(SkippedPlaceWarning):
        patch = DecodedCache(tmp_path / "cache").open(damaged)
    assert np.array_equal(patch.valid, ~DAMAGED)


def test_labels_on_a_damaged_block_are_left_out(damaged: SceneReader, make_scene) -> None:
    truth = np.ones((1, *DAMAGED.shape), np.uint8)
    truth[:, :, 80:] = 2
    labels = open_labels(make_scene(truth, name="labels.tif"))
    with pytest.warns(SkippedPlaceWarning, match="Skipped 1 block"):
        cells = count_labels([damaged.scene], labels, 8)
    expected = [np.count_nonzero(~DAMAGED & (truth[0] == value)) for value in (1, 2)]
    assert cells.counts.sum(axis=0).tolist() == expected
    with pytest.warns(SkippedPlaceWarning, match="Skipped 1 block"):
        patch = LabelledPatches([damaged.scene], labels, 96)[PatchIndex(0, 20, 30)]
    assert np.array_equal(patch["valid"], ~DAMAGED[20:116, 30:126])
    assert np.array_equal(patch["mask"] == 255, ~patch["valid"])
    assert not patch["image"][:, ~patch["valid"]].any()
