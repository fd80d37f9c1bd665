"""Pairs, followed from view pixels back to the ground."""

import pickle
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import torch
from torch.utils.data import DataLoader
from torchgeo.datasets import stack_samples

from sscl_geo import OverlapPairSampler, PairDataset, SceneDataset, ViewAugmentation
from sscl_geo.datasets.pair_batch import collate_pairs
from sscl_geo.errors import SceneError, SkippedPlaceWarning, WastedDecodingWarning
from sscl_geo.geometry.affine import (
    compose,
    invert,
    matrix_from_affine,
    transform_points,
    translation,
)
from sscl_geo.geometry.pair_index import PairIndex
from sscl_geo.transforms.geometric import RandomWarp

ALL_GRIDS = ["utm", "south_up", "non_square", "rotated", "web_mercator", "geographic"]


@pytest.fixture(params=ALL_GRIDS)
def painted(make_scene, request) -> SceneDataset:
    """A scene whose two bands hold each pixel's own (column, row) centre."""
    rows, cols = np.mgrid[:150, :170] + 0.5
    return SceneDataset(make_scene(np.stack([cols, rows]).astype(np.float32), grid=request.param))


class Untouched(torch.nn.Module):
    """A radiometric change that changes nothing."""

    def forward(self, image: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return image


def ground_under(dataset: SceneDataset, pixel_to_map: torch.Tensor, size: int) -> torch.Tensor:
    """(column, row) in the scene under each view pixel's centre, from pixel_to_map alone."""
    to_scene = invert(torch.from_numpy(matrix_from_affine(dataset.scenes[0].geobox.affine)))
    x = torch.arange(size, dtype=torch.float64) + 0.5
    centers = torch.stack(torch.meshgrid(x, x, indexing="xy"), -1).reshape(-1, 2)
    matrices = compose(to_scene, pixel_to_map)
    return transform_points(matrices, centers).mT.unflatten(-1, (size, size))


@pytest.mark.parametrize(
    "options",
    [{}, {"zoom": (0.6, 1.8)}, {"zoom": (0.7, 1.5), "rotation": 180.0}],
    ids=["windows", "zoom", "rotation"],
)
def test_pixels_show_the_ground_that_pixel_to_map_names(painted, options: dict) -> None:
    pairs = PairDataset(painted, 24)
    for index in OverlapPairSampler(painted, size=24, length=12, **options):
        sample = pairs[index]
        truth = ground_under(painted, sample["pixel_to_map"], 24)
        valid = sample["valid"][:, None].expand_as(truth)
        # At the scene's very edge bilinear interpolation leans on the last pixel: left out.
        edge = torch.tensor([170.0, 150.0])[:, None, None]
        inside = ((truth > 1.5) & (truth < edge - 1.5)).all(dim=1, keepdim=True) & valid
        assert inside.float().mean() > 0.5
        error = (sample["image"] - truth).abs()[inside.expand_as(truth)].max()
        assert error < 1e-3


def test_the_same_holds_after_augmentation_on_the_batch(painted) -> None:
    sampler = OverlapPairSampler(painted, size=24, length=16, zoom=(0.7, 1.5))
    pairs = PairDataset(painted, 24)
    batch = stack_samples([pairs[i] for i in sampler])
    warp = RandomWarp(zoom=(0.8, 1.25), rotation=180)
    augment = ViewAugmentation((0.0, 0.0), (1.0, 1.0), warp, Untouched())
    after = augment(batch)
    truth = ground_under(painted, after["pixel_to_map"].flatten(0, 1), 24)
    image, valid = after["image"].flatten(0, 1), after["valid"].flatten(0, 1)
    old = transform_points(
        compose(invert(batch["pixel_to_map"].flatten(0, 1)), after["pixel_to_map"].flatten(0, 1)),
        (torch.cartesian_prod(torch.arange(24), torch.arange(24)) + 0.5).double().flip(-1),
    ).unflatten(1, (24, 24))
    # All points of a pixel within the old view's pixel centres; beyond, the outermost pixel counts.
    inside = ((old > 1) & (old < 23)).all(dim=-1) & valid
    # At the scene's own edge the first interpolation leaned on the last pixel already.
    edge = torch.tensor([170.0, 150.0])[:, None, None]
    inside &= ((truth > 4) & (truth < edge - 4)).all(dim=1)
    assert inside.float().mean() > 0.4
    error = (image - truth).abs().amax(dim=1)[inside]
    assert error.max() < 2e-3


@pytest.mark.parametrize(
    "options",
    [{}, {"zoom": (0.6, 1.8)}, {"zoom": (0.7, 1.5), "rotation": 180.0}],
    ids=["windows", "zoom", "rotation"],
)
def test_views_cut_on_the_device_show_the_ground_that_pixel_to_map_names(
    painted, options: dict
) -> None:
    sampler = OverlapPairSampler(painted, size=24, length=16, **options)
    batch = collate_pairs(PairDataset(painted, 24, windows=True).__getitems__(list(sampler)))
    augment = ViewAugmentation(
        (0.0, 0.0), (1.0, 1.0), RandomWarp(), Untouched(), (24, 24), sampler.coarsest
    )
    after = augment(batch)
    assert after["image"].shape == (16, 2, 2, 24, 24)
    truth = ground_under(painted, after["pixel_to_map"].flatten(0, 1), 24)
    edge = torch.tensor([170.0, 150.0])[:, None, None]
    inside = ((truth > 2) & (truth < edge - 2)).all(dim=1) & after["valid"].flatten(0, 1)
    assert inside.float().mean() > 0.5
    assert (after["image"].flatten(0, 1) - truth).abs().amax(dim=1)[inside].max() < 1e-3
    # Nothing is lost by cutting on the device: every pixel within the scene is there.
    assert after["valid"].flatten(0, 1)[((truth > 2) & (truth < edge - 2)).all(dim=1)].all()


def test_windows_keep_the_type_of_the_file(make_scene) -> None:
    scenes = SceneDataset(make_scene(np.full((1, 90, 90), 60_000, np.uint16)))
    indexes = list(OverlapPairSampler(scenes, size=16, length=4, zoom=(0.7, 1.5)))
    batch = collate_pairs(PairDataset(scenes, 16, windows=True).__getitems__(indexes))
    assert batch["image"].dtype == torch.uint16
    assert batch["image"].shape[-2:] == batch["valid"].shape[-2:]
    assert batch["image"].shape[-1] % 16 == 0


def test_both_views_show_the_same_value_on_shared_ground(make_scene) -> None:
    pattern = np.random.default_rng(0).permutation(120 * 120).reshape(1, 120, 120)
    scenes = SceneDataset(make_scene(pattern.astype(np.float32)))
    pairs = PairDataset(scenes, 32)
    for index in OverlapPairSampler(scenes, size=32, length=20, overlap=(0.3, 0.9)):
        a, b = pairs[index]["image"][:, 0].numpy()
        dx, dy = np.round(index.pixel_to_scene[1, :, 2] - index.pixel_to_scene[0, :, 2]).astype(int)
        shared_a = a[max(dy, 0) : 32 + min(dy, 0), max(dx, 0) : 32 + min(dx, 0)]
        shared_b = b[max(-dy, 0) : 32 - max(dy, 0), max(-dx, 0) : 32 - max(dx, 0)]
        np.testing.assert_array_equal(shared_a, shared_b)


def test_the_pairs_of_a_visit_are_one_read_in_several_batches(make_scene, monkeypatch) -> None:
    scenes = SceneDataset(make_scene(np.ones((1, 64, 64), np.uint8)))
    calls = []
    read = SceneDataset.read_raw
    monkeypatch.setattr(
        SceneDataset,
        "read_raw",
        lambda self, *args, out: calls.append(args) or read(self, *args, out=out),
    )
    indexes = list(OverlapPairSampler(scenes, size=16, length=12, pairs_per_cell=4))
    pairs = PairDataset(scenes, 16)
    assert [len(pairs.__getitems__(indexes[i : i + 4])) for i in (0, 4, 8)] == [4, 4, 4]
    assert len(calls) == 3


@pytest.mark.parametrize("batch", [3, 8, 16, 50])
def test_each_cell_is_decoded_once_however_pairs_are_batched(
    make_scene, monkeypatch, batch: int
) -> None:
    scenes = SceneDataset(make_scene(np.ones((1, 300, 300), np.uint8)))
    read = SceneDataset.read_raw
    calls = []
    monkeypatch.setattr(
        SceneDataset,
        "read_raw",
        lambda self, *args, out: calls.append(args) or read(self, *args, out=out),
    )
    sampler = OverlapPairSampler(scenes, size=8, length=400, pairs_per_cell=8, cells=5)
    indexes = list(sampler)
    pairs = PairDataset(scenes, 8, threads=1)
    for start in range(0, 400, batch):
        pairs.__getitems__(indexes[start : start + batch])
    assert len(calls) == len({index.cells for index in indexes}) == 50


@pytest.mark.parametrize("options", [{}, {"zoom": (0.7, 1.5), "rotation": 30.0}])
def test_reading_a_batch_gives_what_reading_one_by_one_gives(painted, options: dict) -> None:
    pairs = PairDataset(painted, 24)
    indexes = list(OverlapPairSampler(painted, size=24, length=20, **options))
    for one, many in zip(map(pairs.__getitem__, indexes), pairs.__getitems__(indexes), strict=True):
        assert torch.equal(one["pixel_to_map"], many["pixel_to_map"])
        assert torch.equal(one["valid"], many["valid"])
        torch.testing.assert_close(one["image"], many["image"], atol=1e-3, rtol=0)


def corrupted(make_scene) -> SceneDataset:
    """A compressed scene whose block in the middle cannot be decoded."""
    noise = np.random.default_rng(0).integers(0, 60000, (1, 192, 192)).astype(np.uint16)
    path = make_scene(noise, tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    with rasterio.open(path) as source:
        offset = int(source.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(200))
    return SceneDataset(path)


def test_a_place_that_cannot_be_decoded_is_skipped_and_marked(make_scene) -> None:
    scenes = corrupted(make_scene)
    sampler = OverlapPairSampler(scenes, size=16, length=64, pairs_per_cell=1, cell=32)
    with pytest.warns(SkippedPlaceWarning, match="Skipped a place: Cannot decode .* row"):
        samples = PairDataset(scenes, 16).__getitems__(list(sampler))
    assert len(samples) == 64
    assert 0 < sum(bool(s["skipped"]) for s in samples) < 40


def test_a_batch_of_which_nothing_can_be_read_is_an_error(make_scene) -> None:
    scenes = corrupted(make_scene)
    index = PairIndex(
        (slice(0, 1), slice(0, 1)),
        (0, 0),
        np.array([[70, 70, 16, 16]] * 2),
        np.tile(translation(70, 70), (2, 1, 1)),
    )
    with pytest.raises(SceneError, match="Cannot decode"):
        PairDataset(scenes, 16).__getitems__([index])


def test_worker_processes_read_what_the_main_process_reads(make_scene) -> None:
    noise = np.random.default_rng(0).integers(0, 60000, (1, 128, 128)).astype(np.uint16)
    scenes = SceneDataset(make_scene(noise))
    sampler = OverlapPairSampler(scenes, size=16, length=24, batch_size=4, num_workers=2)
    pairs = PairDataset(scenes, 16)
    here = [pairs[i]["image"] for i in sampler]  # opens the file before workers start
    loader = DataLoader(
        pairs, batch_size=4, sampler=sampler, num_workers=2, collate_fn=stack_samples
    )
    there = torch.cat([batch["image"] for batch in loader])
    torch.testing.assert_close(there, torch.stack(here))


@pytest.mark.parametrize("options", [{}, {"zoom": (0.7, 1.5), "rotation": 30.0}])
def test_a_decoded_cache_changes_nothing(painted, tmp_path, options: dict) -> None:
    indexes = list(OverlapPairSampler(painted, size=24, length=20, **options))
    plain = PairDataset(painted, 24).__getitems__(indexes)
    cached = PairDataset(painted, 24, cache=tmp_path / "cache").__getitems__(indexes)
    for one, other in zip(plain, cached, strict=True):
        assert torch.equal(one["valid"], other["valid"])
        torch.testing.assert_close(one["image"], other["image"], atol=1e-3, rtol=0)


def test_a_dataset_with_a_cache_pickles_without_its_pixels(painted, tmp_path) -> None:
    pairs = PairDataset(painted, 24, cache=tmp_path / "cache")
    index = next(iter(OverlapPairSampler(painted, size=24, length=1)))
    before = pairs[index]
    twin = pickle.loads(pickle.dumps(pairs))  # noqa: S301 - made here
    assert torch.equal(twin[index]["image"], before["image"])
    assert len(pickle.dumps(pairs)) < 50_000


def test_a_batch_is_collated_without_a_copy(painted) -> None:
    samples = PairDataset(painted, 24).__getitems__(
        list(OverlapPairSampler(painted, size=24, length=6))
    )
    batch = collate_pairs(samples)
    stacked = stack_samples(list(samples))
    assert batch["image"].data_ptr() == samples[0]["image"].data_ptr()
    assert batch.keys() == stacked.keys()
    assert all(torch.equal(batch[key], stacked[key]) for key in stacked)


def test_threads_read_what_one_thread_reads(painted) -> None:
    indexes = list(OverlapPairSampler(painted, size=24, length=40, pairs_per_cell=4, cells=3))
    one, four = (PairDataset(painted, 24, threads=n) for n in (1, 4))
    for start in range(0, 40, 8):
        part = indexes[start : start + 8]
        a, b = collate_pairs(one.__getitems__(part)), collate_pairs(four.__getitems__(part))
        assert all(torch.equal(a[key], b[key]) for key in a)


def test_samples_from_here_and_there_are_copied_together(painted) -> None:
    pairs = PairDataset(painted, 24)
    samples = [pairs[index] for index in OverlapPairSampler(painted, size=24, length=3)]
    batch = collate_pairs(samples[::-1])
    assert torch.equal(batch["image"], torch.stack([s["image"] for s in samples[::-1]]))


@pytest.mark.parametrize(
    ("told", "warned"),
    [
        ({}, True),
        ({"num_workers": 2}, True),
        ({"batch_size": 8}, True),
        ({"batch_size": 8, "num_workers": 4}, True),
        ({"batch_size": 8, "num_workers": 2}, False),
    ],
)
def test_a_sampler_that_does_not_know_the_workers_is_named_once(
    make_scene, monkeypatch, told: dict, warned: bool
) -> None:
    scenes = SceneDataset(make_scene(np.ones((1, 90, 90), np.uint8)))
    indexes = list(OverlapPairSampler(scenes, size=16, length=32, **told))
    pairs = PairDataset(scenes, 16)
    pairs.__getitems__(indexes[:8])  # not in a worker yet
    worker = SimpleNamespace(id=0, num_workers=2)
    monkeypatch.setattr("sscl_geo.datasets.pairs.get_worker_info", lambda: worker)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        pairs.__getitems__(indexes[:8])
        pairs.__getitems__(indexes[8:16])
    assert [each.category for each in heard] == [WastedDecodingWarning] * warned
    assert all("give OverlapPairSampler batch_size=8 and num_w" in str(w.message) for w in heard)


@pytest.mark.parametrize("workers", [0, 1])
def test_one_reading_process_needs_no_order(make_scene, workers: int) -> None:
    scenes = SceneDataset(make_scene(np.ones((1, 90, 90), np.uint8)))
    sampler = OverlapPairSampler(scenes, size=16, length=32)
    assert (
        len(list(DataLoader(PairDataset(scenes, 16), 8, sampler=sampler, num_workers=workers))) == 4
    )
