"""Pairs from TorchGeo's own datasets, checked against the files."""

import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import torch
from affine import Affine
from rasterio.windows import Window
from torch.utils.data import DataLoader
from torchgeo.datasets import RasterDataset, VectorDataset

from sscl_geo import GeoDatasetScenes, OverlapPairSampler, PairDataset
from sscl_geo.datasets.pair_batch import collate_pairs
from sscl_geo.errors import ConfigError, SceneError
from sscl_geo.io.decoded_cache import DecodedCache
from sscl_geo.io.statistics import band_statistics

RNG = np.random.default_rng(0)


class Masks(RasterDataset):
    is_image = False


class ByBand(RasterDataset):
    filename_regex = r"scene_(?P<date>\d{8})_(?P<band>B\d)\.tif"
    filename_glob = "scene_*_B1.tif"
    all_bands = ("B1", "B2")
    separate_files = True


def noise(*shape: int, start: int = 1) -> np.ndarray:
    return RNG.integers(start, 60000, shape).astype(np.uint16)


def at(x: float, y: float, res: float = 30.0) -> Affine:
    """North-up transform whose corner is off the round numbers by a part of a pixel."""
    return Affine(res, 0, 300_007.5 + x, 0, -res, 4_100_012.25 + y)


def check_against(files: list[Path], scenes: GeoDatasetScenes) -> None:
    """Every view is a window of one of the files, to the pixel."""
    opened = [rasterio.open(path) for path in files]
    sampler = OverlapPairSampler(scenes, size=16, length=48, min_valid=0.3, pairs_per_cell=2)
    pairs = PairDataset(scenes, 16)
    seen = set()
    for index in sampler:
        sample = pairs[index]
        for view in range(2):
            a, _, x, _, _, y = sample["pixel_to_map"][view].flatten().tolist()
            fits = []
            for number, file in enumerate(opened):
                col, row = ~file.transform * (x, y)
                window = Window(round(col), round(row), 16, 16)
                inside = 0 <= round(col) <= file.width - 16 and 0 <= round(row) <= file.height - 16
                if not inside or a != file.transform.a:
                    continue
                assert (col, row) == pytest.approx((round(col), round(row)), abs=1e-6)
                valid = (file.read_masks(window=window) > 0).all(axis=0)
                truth = file.read(window=window) * valid
                if np.array_equal(sample["image"][view], truth.astype(np.float32)):
                    assert np.array_equal(sample["valid"][view], valid)
                    fits.append(number)
            assert fits
            seen |= set(fits)
    assert seen == set(range(len(files)))


def test_a_raster_dataset_gives_the_pixels_of_its_files(make_scene) -> None:
    pixels = noise(3, 90, 110)
    pixels[:, 20:50, 30:60] = 0
    path = make_scene(pixels, transform=at(0, 0), nodata=0)
    check_against([path], GeoDatasetScenes(RasterDataset(str(path))))


def test_files_whose_grids_are_shifted_are_each_read_on_their_own(make_scene) -> None:
    paths = [
        make_scene(noise(1, 60, 60), f"s{i}.tif", transform=at(i * 3_011.7, i * 13.1))
        for i in range(3)
    ]
    check_against(paths, GeoDatasetScenes(RasterDataset([str(p) for p in paths])))


def test_a_union_draws_in_both_datasets(make_scene) -> None:
    paths = [
        make_scene(noise(2, 64, 64), "a.tif", transform=at(0, 0)),
        make_scene(noise(2, 64, 80), "b.tif", transform=at(5_000, -77.7)),
    ]
    a, b = (RasterDataset(str(path)) for path in paths)
    scenes = GeoDatasetScenes(a | b)
    assert [scene.path for scene in scenes.scenes] == [str(path) for path in paths]
    check_against(paths, scenes)


def test_a_union_warps_a_dataset_of_another_crs(make_scene) -> None:
    a = RasterDataset(str(make_scene(noise(1, 64, 64), "a.tif", transform=at(0, 0))))
    b_path = make_scene(
        np.full((1, 64, 64), 500, np.uint16), "b.tif", crs="EPSG:32611", transform=at(9e5, 0)
    )
    scenes = GeoDatasetScenes(a | RasterDataset(str(b_path)))
    assert {scene.crs.epsg for scene in scenes.scenes} == {32612}
    patch = scenes.read(1, 0, 0, *scenes.scenes[1].shape)
    assert 0.8 < patch.valid.mean() < 1
    assert (patch.image[0, patch.valid] == 500).all()


def test_missing_data_of_one_side_never_hides_data_of_the_other(make_scene) -> None:
    low = np.full((1, 32, 64), 7, np.uint8)
    high = np.full((1, 32, 64), 9, np.uint8)
    high[:, :, :20] = 255
    a = RasterDataset(str(make_scene(low, "a.tif", transform=at(0, 0), nodata=0)))
    b = RasterDataset(str(make_scene(high, "b.tif", transform=at(0, 0), nodata=255)))
    patch = GeoDatasetScenes(a | b).read(0, 0, 0, 32, 64)
    assert (patch.image[0][patch.valid] == 9).all()
    assert np.array_equal(patch.valid, high[0] != 255)


def test_an_intersection_stacks_the_bands_where_both_have_data(make_scene) -> None:
    first, second = noise(2, 64, 64), noise(1, 40, 40)
    second[:, 5:10, 5:10] = 0
    a = RasterDataset(str(make_scene(first, "a.tif", transform=at(0, 0), nodata=0)))
    b = RasterDataset(str(make_scene(second, "b.tif", transform=at(300, -150), nodata=0)))
    scenes = GeoDatasetScenes(a & b)
    (scene,) = scenes.scenes
    assert scene.shape == (40, 40)
    assert len(scenes.bands) == 3
    patch = scenes.read(0, 0, 0, 40, 40)
    assert np.array_equal(patch.valid, second[0] > 0)
    truth = np.concatenate([first[:, 5:45, 10:50], second])
    assert np.array_equal(patch.image[:, patch.valid], truth[:, patch.valid].astype(np.float32))


def test_masks_of_an_intersection_only_bound_the_ground(make_scene) -> None:
    pixels = noise(2, 64, 64)
    a = RasterDataset(str(make_scene(pixels, "a.tif", transform=at(0, 0))))
    labels = Masks(str(make_scene(np.zeros((1, 30, 64), np.uint8), "m.tif", transform=at(0, 0))))
    scenes = GeoDatasetScenes(a & labels)
    patch = scenes.read(0, 0, 0, 30, 64)
    assert scenes.scenes[0].shape == (30, 64)
    assert np.array_equal(patch.image, pixels[:, :30].astype(np.float32))
    assert patch.valid.all()


def test_pixels_outside_a_polygon_are_not_valid(make_scene, tmp_path) -> None:
    path = make_scene(noise(1, 64, 64), transform=at(0, 0))
    west, south, east, north = rasterio.open(path).bounds
    triangle = shapely.Polygon([(west, south), (west, north), (east, north)])
    layer = tmp_path / "labels.gpkg"
    gpd.GeoDataFrame({"id": [1]}, geometry=[triangle], crs="EPSG:32612").to_file(layer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scenes = GeoDatasetScenes(RasterDataset(str(path)) & _Footprint(str(layer)))
        patch = scenes.read(0, 0, 0, *scenes.scenes[0].shape)
    assert patch.valid.mean() == pytest.approx(0.5, abs=0.02)
    assert patch.valid[0, 0]
    assert not patch.valid[-1, -1]


class _Footprint(VectorDataset):
    """Vector labels whose index holds the polygons themselves, not their bounds."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        polygons = gpd.read_file(path).geometry
        self.index = self.index.set_geometry([polygons.union_all()], crs=self.index.crs)


def test_datasets_with_a_file_for_each_band_are_read(make_scene, tmp_path) -> None:
    first, second = noise(1, 48, 48), noise(1, 48, 48)
    second[:, :10] = 0
    for name, band in (("B1", first), ("B2", second)):
        make_scene(band, f"scene_20200518_{name}.tif", transform=at(0, 0), nodata=0)
    scenes = GeoDatasetScenes(ByBand(str(tmp_path)))
    assert scenes.scenes[0].date.year == 2020
    patch = scenes.read(0, 0, 0, 48, 48)
    assert np.array_equal(patch.valid, second[0] > 0)
    assert np.array_equal(patch.image[:, 10:], np.concatenate([first, second])[:, 10:])


def test_entries_of_other_dates_are_not_mixed_in(make_scene, tmp_path) -> None:
    for day, value in (("20200518", 5), ("20210518", 9)):
        for band in ("B1", "B2"):
            pixels = np.full((1, 32, 32), value, np.uint8)
            make_scene(pixels, f"scene_{day}_{band}.tif", transform=at(0, 0))
    scenes = GeoDatasetScenes(ByBand(str(tmp_path)))
    assert [float(scenes.read(i, 0, 0, 32, 32).image.max()) for i in (0, 1)] == [5, 9]


def test_a_resolution_that_is_not_the_files_starts_on_its_corner(make_scene) -> None:
    path = make_scene(noise(1, 64, 64), transform=at(0, 0))
    (scene,) = GeoDatasetScenes(RasterDataset(str(path), res=60)).scenes
    assert scene.shape == (32, 32)
    assert scene.geobox.affine[2] == pytest.approx(at(0, 0).c)


@pytest.mark.parametrize("compress", [None, "deflate"])
def test_workers_forked_after_a_read_give_the_same_pixels(make_scene, compress) -> None:
    path = make_scene(noise(2, 300, 300), transform=at(0, 0), compress=compress)
    scenes = GeoDatasetScenes(RasterDataset(str(path)))
    sampler = OverlapPairSampler(scenes, size=32, length=64, batch_size=16, num_workers=2)
    pairs = PairDataset(scenes, 32)
    truth = [pairs[index] for index in sampler]
    loader = DataLoader(
        pairs, 16, sampler=sampler, num_workers=2, collate_fn=collate_pairs,
        multiprocessing_context="fork",
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        batches = list(loader)
    by_place = {tuple(s["pixel_to_map"].flatten().tolist()): s["image"] for s in truth}
    for batch in batches:
        for matrix, image in zip(batch["pixel_to_map"], batch["image"], strict=True):
            assert torch.equal(image, by_place[tuple(matrix.flatten().tolist())])


def test_statistics_are_measured_through_its_readers(make_scene) -> None:
    pixels = noise(2, 64, 64)
    scenes = GeoDatasetScenes(RasterDataset(str(make_scene(pixels, transform=at(0, 0)))))
    statistics = band_statistics([scenes.reader(0)])
    assert statistics.mean == pytest.approx(pixels.mean(axis=(1, 2)))


def test_a_damaged_file_is_a_scene_error(make_scene) -> None:
    path = make_scene(noise(1, 64, 64), transform=at(0, 0), compress="deflate")
    scenes = GeoDatasetScenes(RasterDataset(str(path)))
    path.write_bytes(path.read_bytes()[:-4000] + bytes(4000))
    with pytest.raises(SceneError, match=r"Cannot read .*scene\.tif through RasterDataset"):
        scenes.read(0, 0, 0, 64, 64)


def test_masks_alone_are_refused(make_scene) -> None:
    with pytest.raises(ConfigError, match="Masks gives no images"):
        GeoDatasetScenes(Masks(str(make_scene(np.zeros((1, 9, 9), np.uint8)))))


def test_transforms_that_change_the_size_are_refused(make_scene) -> None:
    path = make_scene(noise(1, 64, 64), transform=at(0, 0))
    halved = RasterDataset(str(path), transforms=lambda s: {**s, "image": s["image"][..., ::2]})
    scenes = GeoDatasetScenes(halved)
    with pytest.raises(ConfigError, match="shape"):
        scenes.read(0, 0, 0, 8, 8)


def test_the_decoded_cache_refuses_it(make_scene, tmp_path) -> None:
    scenes = GeoDatasetScenes(RasterDataset(str(make_scene(noise(1, 64, 64)))))
    with pytest.raises(ConfigError, match="cache"):
        DecodedCache(tmp_path / "cache").open(scenes.reader(0))
