"""What bites with TorchGeo's own samplers and datasets (0.10) must not bite here."""

import os
import pickle
import time
import warnings

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
from torchgeo.samplers import RandomPatchSampler

from sscl_geo import GeoDatasetScenes, OverlapPairSampler, PairDataset, SceneDataset
from sscl_geo.datasets.pair_batch import collate_pairs
from sscl_geo.errors import SamplingError


@pytest.mark.parametrize(
    ("method", "compress"),
    [
        ("fork", None),
        ("fork", "deflate"),
        pytest.param("spawn", None, marks=pytest.mark.slow),  # it imports everything again
    ],
)
def test_workers_started_after_a_read_give_the_right_pixels(make_scene, compress, method) -> None:
    """A handle that survives a fork gave wrong pixels for a third of the patches."""
    rows, cols = np.mgrid[:400, :400].astype(np.uint16)
    scenes = SceneDataset(make_scene(np.stack([cols, rows]), compress=compress))
    scenes.read(0, 0, 0, 64, 64)
    sampler = OverlapPairSampler(scenes, size=16, length=256, batch_size=32, num_workers=2)
    loader = DataLoader(
        PairDataset(scenes, 16), 32, sampler=sampler, num_workers=2, collate_fn=collate_pairs,
        multiprocessing_context=method,
    )  # fmt: skip
    origin = torch.tensor([scenes.scenes[0].geobox.affine[i] for i in (2, 5)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for batch in loader:
            corner = (batch["pixel_to_map"][..., 2] - origin) / torch.tensor([30, -30])
            assert torch.equal(batch["image"][..., 0, 0], corner.round().float())


def test_a_tenth_of_a_metre_in_utm_is_not_rounded(make_scene) -> None:
    """TorchGeo's float32 transform is up to 2 pixels off there."""
    transform = Affine(0.1, 0, 300_000.05, 0, -0.1, 9_400_000.15)
    path = make_scene(np.ones((1, 90, 90), np.uint8), transform=transform)
    scenes = SceneDataset(path)
    pairs = PairDataset(scenes, 16)
    rounded = 0.0
    with rasterio.open(path) as source:
        for index in OverlapPairSampler(scenes, size=16, length=32):
            matrices = pairs[index]["pixel_to_map"]
            for matrix, (row, col, *_) in zip(matrices, index.windows.tolist(), strict=True):
                truth = source.window_transform(Window(col, row, 16, 16))
                exact = torch.tensor(truth[:6], dtype=torch.float64).reshape(2, 3)
                assert ((matrix - exact).abs()[:, 2] / 0.1).max() < 1e-6
                off = (matrix.float().double() - exact).abs()[:, 2] / 0.1
                rounded = max(rounded, float(off.max()))
    assert rounded > 1


def test_polygons_do_not_move_patches_off_the_pixel_grid(make_scene, tmp_path) -> None:
    """TorchGeo's samplers start at the bounds of the intersection, a part of a pixel away."""
    pixels = np.random.default_rng(0).integers(1, 60000, (1, 80, 80)).astype(np.uint16)
    path = make_scene(pixels)
    left, bottom, right, top = rasterio.open(path).bounds
    field = shapely.box(left + 71.3, bottom + 44.4, right - 101.7, top - 37.9)
    gpd.GeoDataFrame({"id": [1]}, geometry=[field], crs="EPSG:32612").to_file(tmp_path / "f.gpkg")
    scenes = GeoDatasetScenes(RasterDataset(str(path)) & VectorDataset(str(tmp_path / "f.gpkg")))
    pairs = PairDataset(scenes, 16)
    for index in OverlapPairSampler(scenes, size=16, length=16):
        sample = pairs[index]
        for view in range(2):
            x, y = sample["pixel_to_map"][view, :, 2].tolist()
            col, row = ((x - left) / 30, (top - y) / 30)
            assert (col, row) == pytest.approx((round(col), round(row)), abs=1e-6)
            truth = pixels[0, round(row) : round(row) + 16, round(col) : round(col) + 16]
            assert np.array_equal(sample["image"][view, 0], truth)


def test_a_raster_little_larger_than_a_patch_is_drawn_from(make_scene) -> None:
    """TorchGeo's sampler yields nothing there, while its length says otherwise."""
    path = make_scene(np.ones((1, 40, 40), np.uint8))
    theirs = RandomPatchSampler(RasterDataset(str(path)), size=32, length=10)
    assert len(theirs) == 10
    assert list(theirs) == []
    ours = OverlapPairSampler(SceneDataset(path), size=32, length=10)
    assert len(list(ours)) == len(ours) == 10


def test_a_raster_as_large_as_a_patch_is_drawn_from(make_scene) -> None:
    scenes = SceneDataset(make_scene(np.ones((1, 32, 32), np.uint8)))
    (index,) = OverlapPairSampler(scenes, size=32, length=1)
    assert index.windows.tolist() == [[0, 0, 32, 32]] * 2


def test_every_origin_is_reached(make_scene) -> None:
    """TorchGeo's sampler reaches a third of the origins of a chip of twice the patch."""
    scenes = SceneDataset(make_scene(np.ones((1, 24, 24), np.uint8)))
    sampler = OverlapPairSampler(scenes, size=16, length=4000, overlap=(0, 1))
    origins = {tuple(w[:2]) for index in sampler for w in index.windows.tolist()}
    assert origins == {(row, col) for row in range(9) for col in range(9)}


def test_a_raster_smaller_than_a_patch_is_an_error(make_scene) -> None:
    scenes = SceneDataset(make_scene(np.ones((1, 31, 90), np.uint8)))
    with pytest.raises(SamplingError, match="No scene is as large as a view"):
        OverlapPairSampler(scenes, size=32, length=4)


def test_the_global_generator_is_neither_needed_nor_touched(make_scene) -> None:
    scenes = SceneDataset(make_scene(np.ones((1, 90, 90), np.uint8)))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = [i.windows.tolist() for i in OverlapPairSampler(scenes, size=16, length=8)]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert [i.windows.tolist() for i in OverlapPairSampler(scenes, size=16, length=8)] == first


def test_an_index_of_a_pair_is_a_slice_that_torchgeo_understands(make_scene) -> None:
    """A nested tuple is none; what a pair needs beside its bounds survives pickling."""
    path = make_scene(np.ones((2, 90, 90), np.uint8))
    (index,) = OverlapPairSampler(SceneDataset(path), size=16, length=1, overlap=(0.3, 0.9))
    again = pickle.loads(pickle.dumps(index))  # noqa: S301 - our own bytes
    assert again == index
    low, high = index.windows[:, :2].min(axis=0), index.windows[:, :2].max(axis=0) + 16
    image = RasterDataset(str(path))[again]["image"]
    assert image.shape == (2, *(high - low))


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_dates_of_entries_do_not_depend_on_the_machines_zone(make_scene, zone: str) -> None:
    class Dated(RasterDataset):
        filename_regex = r"s_(?P<date>\d{8})\.tif"

    path = make_scene(np.ones((1, 32, 32), np.uint8), "s_20200518.tif")
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        (scene,) = GeoDatasetScenes(Dated(str(path))).scenes
        assert scene.date.isoformat() == "2020-05-18T00:00:00+00:00"
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()
