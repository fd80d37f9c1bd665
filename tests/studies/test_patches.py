import numpy as np
import pytest
import torch

from sscl_geo.errors import BandError, LabelError, SceneError
from sscl_geo.studies import find_tiles
from sscl_geo.studies.choice import Place
from sscl_geo.studies.deepglobe import DEEPGLOBE
from sscl_geo.studies.loveda import LOVEDA
from sscl_geo.studies.patch_grid import PatchGrid
from sscl_geo.studies.patches import TilePatches
from sscl_geo.studies.potsdam import POTSDAM
from sscl_geo.studies.vaihingen import VAIHINGEN

from .conftest import SHAPE, picture, truth, write_tif


def patches(dataset, root, size, *, optional=True, keep=2**20, labels="all"):
    tiles = find_tiles(dataset, root, labels=labels, test_labels="all")
    grids = [PatchGrid(tile.shape, size) for tile in tiles]
    places = [Place(t, n) for t, grid in enumerate(grids) for n in range(1, len(grid) + 1)]
    classes = dataset.counted_classes(optional=optional)
    return TilePatches(dataset, tiles, grids, places, classes, keep)


def whole(dataset, root, **options):
    """First tile in one patch."""
    return patches(dataset, root, 256, **options)[0]


@pytest.mark.parametrize(
    ("dataset", "name", "bands", "seed"),
    [(POTSDAM, "potsdam", 4, 0), (VAIHINGEN, "vaihingen", 3, 0), (LOVEDA, "loveda", 3, 3)],
)
def test_pixels_and_classes_are_those_of_the_files(dataset, name, bands, seed, request):
    found = whole(dataset, request.getfixturevalue(name))
    height, width = (70, 90) if dataset is VAIHINGEN else SHAPE
    index = truth(seed, len(dataset.classes), (height, width))
    assert torch.equal(
        found["image"][:, :height, :width], torch.from_numpy(picture(index, bands, seed)).float()
    )
    expected = index.copy()
    if dataset is LOVEDA:
        expected[:8] = 255
    assert (found["mask"][:height, :width].numpy() == expected).all()


def test_beyond_the_tile_there_is_no_data_and_no_label(potsdam):
    found = whole(POTSDAM, potsdam)
    inside = torch.zeros(256, 256, dtype=torch.bool)
    inside[: SHAPE[0], : SHAPE[1]] = True
    assert torch.equal(found["valid"], inside)
    assert (found["mask"][~inside] == 255).all()
    assert (found["image"][:, ~inside] == 0).all()


def test_a_band_that_calls_itself_alpha_hides_nothing(potsdam):
    found = whole(POTSDAM, potsdam)
    assert found["valid"][: SHAPE[0], : SHAPE[1]].all()
    assert len(found["image"]) == 4


def test_masks_of_deepglobe_are_cut_at_128_and_black_is_unknown(deepglobe):
    found = patches(DEEPGLOBE, deepglobe, 256)
    names = [int(tile.name) for tile in found.tiles]
    for place in (0, len(names) - 1):
        index = truth((names[place] - 100) // 7, 7)
        index[index == 6] = 255
        assert (found[place]["mask"][: SHAPE[0], : SHAPE[1]].numpy() == index).all()


def test_clutter_can_be_left_out(potsdam):
    kept, left_out = (whole(POTSDAM, potsdam, optional=o)["mask"] for o in (True, False))
    assert (left_out[kept == 5] == 255).all()
    assert (left_out[kept < 5] == kept[kept < 5]).all()
    assert (kept == 5).any()


def test_eroded_borders_have_no_label(potsdam):
    mask = whole(POTSDAM, potsdam, labels="no_boundary")["mask"][: SHAPE[0], : SHAPE[1]]
    assert (mask[::16] == 255).all()
    assert (mask[1::16] != 255).all()


def test_small_patches_are_the_large_one_cut(vaihingen):
    large = whole(VAIHINGEN, vaihingen)
    small = patches(VAIHINGEN, vaihingen, 32)
    for i in range(9):
        row, col = small.grids[0].origin(i + 1)
        for key in ("image", "mask", "valid"):
            expected = large[key][..., row : row + 32, col : col + 32]
            assert torch.equal(small[i][key], expected)


def test_patches_are_kept_only_as_far_as_there_is_room(vaihingen):
    some = patches(VAIHINGEN, vaihingen, 32, keep=3 * 32 * 32 * 5)
    first = [some[i]["image"].clone() for i in range(6)]
    assert len(some._kept) == 3
    assert all(torch.equal(some[i]["image"], first[i]) for i in range(6))


def small_potsdam(tmp_path, image, labels):
    """Tiles that are all alike."""
    for name in (n for s in POTSDAM.sources for n in s.names):
        write_tif(tmp_path / f"4_Ortho_RGBIR/top_potsdam_{name}_RGBIR.tif", image)
        write_tif(tmp_path / f"5_Labels_all/top_potsdam_{name}_label.tif", labels)
    return patches(POTSDAM, tmp_path, 32)


def test_images_with_other_bands_are_refused(tmp_path):
    some = small_potsdam(tmp_path, np.ones((3, 8, 8), np.uint8), np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(BandError, match="red, green, blue, nir"):
        some[0]


def test_labels_of_another_size_are_refused(tmp_path):
    some = small_potsdam(tmp_path, np.ones((4, 8, 8), np.uint8), np.zeros((3, 8, 9), np.uint8))
    with pytest.raises(LabelError, match="8 x 9 pixels but its image has 8 x 8"):
        some[0]


def test_a_damaged_file_is_named(tmp_path):
    some = small_potsdam(tmp_path, np.ones((4, 8, 8), np.uint8), np.zeros((3, 8, 8), np.uint8))
    some.tiles[0].image.write_bytes(b"no raster")
    with pytest.raises(SceneError, match=r"top_potsdam_2_10_RGBIR\.tif, which is damaged"):
        some[0]
