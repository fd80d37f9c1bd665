"""Scenes as a TorchGeo dataset, against rasterio."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.warp
from rasterio.enums import Resampling
from torchgeo.samplers import GriddedPatchSampler

from sscl_geo import SceneDataset
from sscl_geo.errors import BandError, SceneError, SkippedSceneWarning


def noise(bands: int = 2, height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 60000, (bands, height, width)).astype(np.uint16)


@pytest.mark.parametrize("grid", ["utm", "web_mercator", "geographic"])
def test_the_whole_scene_comes_back_bit_for_bit(make_scene, grid: str) -> None:
    array = noise()
    dataset = SceneDataset(make_scene(array, grid=grid))
    sample = dataset[dataset.bounds]
    np.testing.assert_array_equal(sample["image"].numpy(), array)
    assert sample["valid"].all()


def test_torchgeos_samplers_read_untouched_windows(make_scene) -> None:
    array = noise()
    dataset = SceneDataset(make_scene(array))
    for index in GriddedPatchSampler(dataset, size=20):
        sample = dataset[index]
        left, _, top = sample["pixel_to_map"][:, 2][0], 0, sample["pixel_to_map"][1, 2]
        col, row = (round(float(v)) for v in ~dataset.scenes[0].geobox.affine @ (left, top))
        np.testing.assert_array_equal(
            sample["image"].numpy(), array[:, row : row + 20, col : col + 20]
        )


def test_a_rotated_scene_is_warped_as_gdal_does(make_scene) -> None:
    rows, cols = np.mgrid[:60, :80]
    array = (100 + 2 * rows + 3 * cols)[None].astype(np.float32)
    path = make_scene(array, grid="rotated")
    dataset = SceneDataset(path)
    sample = dataset[dataset.bounds]
    expected = np.full(sample["valid"].shape, np.nan, np.float32)
    with rasterio.open(path) as source:
        rasterio.warp.reproject(
            source.read(1),
            expected,
            src_transform=source.transform,
            src_crs=source.crs,
            dst_transform=sample["transform"].double().numpy().tolist()[:6]
            and rasterio.Affine(*sample["pixel_to_map"].numpy().ravel()),
            dst_crs=source.crs,
            dst_nodata=np.nan,
            resampling=Resampling.bilinear,
        )
    both = sample["valid"].numpy() & np.isfinite(expected)
    assert both.mean() > 0.5
    np.testing.assert_allclose(sample["image"][0].numpy()[both], expected[both], atol=0.6)


def test_where_scenes_overlap_the_first_with_data_wins(make_scene) -> None:
    first = np.full((1, 10, 10), 5, np.uint8)
    first[0, :5] = 0
    dataset = SceneDataset(
        [
            make_scene(first, "a.tif", nodata=0),
            make_scene(np.full((1, 10, 10), 9, np.uint8), "b.tif"),
        ]
    )
    image = dataset[dataset.bounds]["image"][0]
    assert (image[:5] == 9).all()
    assert (image[5:] == 5).all()


def test_scenes_of_other_crs_share_one_index(make_scene) -> None:
    dataset = SceneDataset(
        [make_scene(noise(), "a.tif"), make_scene(noise(), "b.tif", grid="web_mercator")]
    )
    assert dataset.crs.to_epsg() == 32612
    assert len(dataset) == 2
    assert dataset.scenes[1].crs.to_epsg() == 3857


def test_outside_all_scenes_is_an_index_error(make_scene) -> None:
    dataset = SceneDataset(make_scene(noise()))
    with pytest.raises(IndexError):
        dataset[0:10, 0:10]


def test_folders_patterns_and_lists_find_the_same_files(make_scene, tmp_path: Path) -> None:
    paths = [make_scene(noise(), f"{i}.tif") for i in range(3)]
    (tmp_path / "note.txt").write_text("not a scene")
    expected = [str(p) for p in paths]
    for given in (tmp_path, f"{tmp_path}/*.tif", paths, [tmp_path, paths[0]]):
        assert [s.path for s in SceneDataset(given).scenes] == expected


def test_an_unreadable_scene_is_named_and_left_out(make_scene, tmp_path: Path) -> None:
    make_scene(noise(), "good.tif")
    (tmp_path / "bad.tif").write_text("no raster")
    with pytest.warns(SkippedSceneWarning, match=r"Left out: Cannot open .*bad\.tif"):
        dataset = SceneDataset(tmp_path)
    assert len(dataset.scenes) == 1


def test_strict_makes_it_an_error(make_scene, tmp_path: Path) -> None:
    make_scene(noise(), "good.tif")
    (tmp_path / "bad.tif").write_text("no raster")
    with pytest.raises(SceneError, match=r"bad\.tif"):
        SceneDataset(tmp_path, strict=True)


def test_an_empty_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="No raster found"):
        SceneDataset(tmp_path)


def test_scenes_with_other_band_counts_are_refused(make_scene) -> None:
    paths = [make_scene(noise(2), "a.tif"), make_scene(noise(3), "b.tif")]
    with pytest.raises(BandError, match=r"b\.tif has 3 bands but .*a.tif has 2"):
        SceneDataset(paths)


def test_bands_chosen_by_name_may_come_from_scenes_in_other_orders(make_scene) -> None:
    one, two = noise(2), noise(3)
    dataset = SceneDataset(
        [
            make_scene(one, "a.tif", descriptions=("red", "nir")),
            make_scene(two, "b.tif", descriptions=("nir", "blue", "red")),
        ],
        bands=["red", "nir"],
    )
    np.testing.assert_array_equal(dataset.read(0, 0, 0, 4, 4).image, one[:, :4, :4])
    np.testing.assert_array_equal(dataset.read(1, 0, 0, 4, 4).image, two[[2, 0], :4, :4])


def test_a_pickled_dataset_carries_no_handle(make_scene) -> None:
    dataset = SceneDataset(make_scene(noise()))
    dataset.read(0, 0, 0, 4, 4)
    twin = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - made here
    assert twin.reader(0)._handle._dataset is None
    np.testing.assert_array_equal(twin.read(0, 0, 0, 4, 4).image, dataset.read(0, 0, 0, 4, 4).image)


def test_the_same_bands_in_another_order_are_read_by_name(make_scene):
    red, nir = np.full((2, 1, 6, 6), [[[[3]]], [[[9]]]], np.uint8)
    paths = [
        make_scene(np.concatenate([red, nir]), "a.tif", descriptions=("red", "nir")),
        make_scene(np.concatenate([nir, red]), "b.tif", descriptions=("nir", "red")),
    ]
    scenes = SceneDataset(paths)
    assert scenes.bands == ("red", "nir")
    for number in range(2):
        pixels = scenes.read(number, 0, 0, 6, 6).image
        assert (pixels[0] == 3).all()
        assert (pixels[1] == 9).all()
