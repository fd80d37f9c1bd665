"""The pair sampler: repeatable, within range, honest about what cannot be drawn."""

from itertools import batched, chain

import geopandas as gpd
import numpy as np
import pytest
import shapely
import torch.distributed
from affine import Affine

from sscl_geo import OverlapPairSampler, PairDataset, SceneDataset
from sscl_geo.errors import SamplingError
from sscl_geo.geometry.footprint import footprint, overlap_share


@pytest.fixture
def scenes(make_scene) -> SceneDataset:
    rng = np.random.default_rng(0)
    big = rng.integers(1, 255, (2, 90, 120)).astype(np.uint8)
    big[:, :30] = 0
    small = rng.integers(1, 255, (2, 40, 50)).astype(np.uint8)
    return SceneDataset(
        [
            make_scene(big, "big.tif", nodata=0),
            make_scene(small, "small.tif", grid="web_mercator", nodata=0),
        ]
    )


def keys(sampler: OverlapPairSampler) -> list[tuple]:
    return [(i.scenes[0], i.pixel_to_scene.tobytes()) for i in sampler]


def test_an_epoch_is_a_function_of_seed_and_epoch(scenes: SceneDataset) -> None:
    sampler = OverlapPairSampler(scenes, size=16, length=20, seed=3)
    first = keys(sampler)
    assert keys(OverlapPairSampler(scenes, size=16, length=20, seed=3)) == first
    sampler.set_epoch(1)
    assert keys(sampler) != first
    sampler.set_epoch(0)
    assert keys(sampler) == first
    assert keys(OverlapPairSampler(scenes, size=16, length=20, seed=4)) != first


def test_the_global_seed_changes_nothing(scenes: SceneDataset) -> None:
    sampler = OverlapPairSampler(scenes, size=16, length=5)
    np.random.seed(1)  # noqa: NPY002 - that is the point
    first = keys(sampler)
    np.random.seed(2)  # noqa: NPY002 - that is the point
    assert keys(sampler) == first


def test_as_many_pairs_as_promised(scenes: SceneDataset) -> None:
    sampler = OverlapPairSampler(scenes, size=16, length=37)
    assert len(list(sampler)) == len(sampler) == 37


def test_scenes_are_visited_by_their_area(scenes: SceneDataset) -> None:
    visits = [i.scenes[0] for i in OverlapPairSampler(scenes, size=8, length=3000)]
    assert np.mean(visits) == pytest.approx(2000 / (2000 + 10800), abs=0.05)


@pytest.mark.parametrize("rotation", [0.0, 90.0])
def test_overlaps_in_map_coordinates_are_within_range(scenes: SceneDataset, rotation) -> None:
    sampler = OverlapPairSampler(
        scenes,
        size=16,
        length=200,
        overlap=(0.4, 0.6),
        overlap_of="union",
        rotation=rotation,
        zoom=(0.8, 1.3),
    )
    pairs = PairDataset(scenes, 16)
    for index in sampler:
        views = footprint(pairs[index]["pixel_to_map"].numpy(), (16, 16))
        assert 0.4 - 1e-6 <= overlap_share(views[0], views[1], "union") <= 0.6 + 1e-6


def test_views_have_the_valid_share_that_was_asked_for(scenes: SceneDataset) -> None:
    sampler = OverlapPairSampler(scenes, size=24, length=300, min_valid=0.9)
    pairs = PairDataset(scenes, 24)
    shares = torch.stack([pairs[i]["valid"].float().mean(dim=(1, 2)) for i in sampler])
    assert shares.min() >= 0.9
    assert shares.min() < 1


def test_the_windows_of_an_index_cover_its_views(scenes: SceneDataset) -> None:
    for index in OverlapPairSampler(scenes, size=16, length=50, rotation=45):
        views = footprint(index.pixel_to_scene, (16, 16))
        for view, (row, col, height, width) in zip(views, index.windows, strict=True):
            assert shapely.box(col, row, col + width, row + height).buffer(1e-6).contains(view)


def test_the_bounds_of_an_index_are_those_of_its_views(scenes: SceneDataset) -> None:
    pairs = PairDataset(scenes, 16)
    for index in OverlapPairSampler(scenes, size=16, length=5):
        views = footprint(pairs[index]["pixel_to_map"].numpy(), (16, 16))
        left, bottom, right, top = shapely.union_all(views).bounds
        x, y = index
        assert (x.start, x.stop, y.start, y.stop) == pytest.approx((left, right, bottom, top))


def test_pairs_of_a_visit_lie_in_one_cell_that_starts_on_a_block(make_scene) -> None:
    array = np.ones((1, 512, 640), np.uint8)
    scenes = SceneDataset(make_scene(array, tiled=True, blockxsize=64, blockysize=32))
    sampler = OverlapPairSampler(scenes, size=16, length=64, pairs_per_cell=4, cell=128, cells=1)
    for group in batched(sampler, 4):
        windows = np.concatenate([i.windows for i in group])
        assert len(windows) == 8
        low = windows[:, :2].min(axis=0)
        high = (windows[:, :2] + windows[:, 2:]).max(axis=0)
        for length, step, first, last in zip((512, 640), (32, 64), low, high, strict=True):
            # A cell starts on a block, or ends with the scene.
            starts = [*range(0, length - 127, step), length - 128]
            assert any(start <= first and last <= start + 128 for start in starts)


def test_a_batch_mixes_as_many_cells_as_promised(make_scene) -> None:
    scenes = SceneDataset(make_scene(np.ones((1, 600, 600), np.uint8)))
    sampler = OverlapPairSampler(scenes, size=16, length=2048)
    cells = [i.cells for i in sampler]
    assert all(len(set(cells[i : i + 256])) >= 32 for i in range(0, 2048 - 512, 256))


def test_no_more_cells_are_open_than_promised(scenes: SceneDataset) -> None:
    drawn = [
        i.cells for i in OverlapPairSampler(scenes, size=16, length=400, pairs_per_cell=5, cells=7)
    ]
    first = {cell: i for i, cell in reversed(list(enumerate(drawn)))}
    last = {cell: i for i, cell in enumerate(drawn)}
    for place in range(400):
        assert sum(first[cell] <= place <= last[cell] for cell in first) <= 7


def test_memory_for_cells_bounds_their_number(make_scene) -> None:
    scenes = SceneDataset(make_scene(np.ones((3, 400, 400), np.uint16)))
    a_cell = 64 * 64 * (3 * 2 + 1)
    sampler = OverlapPairSampler(scenes, size=16, length=4, cell_cache=5 * a_cell + 1)
    assert sampler.cells == 5
    assert next(iter(sampler)).keep == 5
    assert OverlapPairSampler(scenes, size=16, length=4, cell_cache=1).cells == 1


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_pairs_of_a_cell_go_to_one_worker(scenes: SceneDataset, workers: int) -> None:
    sampler = OverlapPairSampler(
        scenes, size=16, length=320, batch_size=10, num_workers=workers, pairs_per_cell=8, cells=4
    )
    batches = list(batched((i.cells for i in sampler), 10))
    by_worker = [set(chain.from_iterable(batches[w:-workers:workers])) for w in range(workers)]
    for one in range(workers):
        for other in range(one):
            assert not by_worker[one] & by_worker[other]


def test_workers_change_the_order_of_an_epoch_and_nothing_else(scenes: SceneDataset) -> None:
    alone = keys(OverlapPairSampler(scenes, size=16, length=96))
    shared = keys(OverlapPairSampler(scenes, size=16, length=96, batch_size=8, num_workers=3))
    assert shared != alone
    assert sorted(shared) == sorted(alone)


def test_every_part_of_a_scene_is_visited(make_scene) -> None:
    scenes = SceneDataset(
        make_scene(np.ones((1, 300, 300), np.uint8), tiled=True, blockxsize=64, blockysize=64)
    )
    sampler = OverlapPairSampler(scenes, size=16, length=8000, cell=96)
    seen = np.zeros((300, 300), bool)
    for index in sampler:
        for row, col, height, width in index.windows:
            seen[row : row + height, col : col + width] = True
    assert seen[12:-12, 12:-12].all()
    assert seen.mean() > 0.95


@pytest.mark.parametrize("views", [3, 5])
def test_each_further_view_overlaps_the_first(scenes: SceneDataset, views: int) -> None:
    sampler = OverlapPairSampler(scenes, size=16, length=30, views=views, overlap=(0.4, 0.8))
    pairs = PairDataset(scenes, 16)
    for index in sampler:
        sample = pairs[index]
        assert sample["image"].shape[0] == views
        drawn = footprint(sample["pixel_to_map"].numpy(), (16, 16))
        share = overlap_share(drawn[0], drawn[1:])
        assert ((share >= 0.4 - 1e-6) & (share <= 0.8 + 1e-6)).all()


@pytest.mark.parametrize("done", [0, 1, 7, 8, 20, 37])
@pytest.mark.parametrize("workers", [0, 2])
def test_skipping_goes_on_with_what_an_unbroken_epoch_draws(
    scenes: SceneDataset, done, workers
) -> None:
    sampler = OverlapPairSampler(scenes, size=16, length=37, batch_size=4, num_workers=workers)
    whole = keys(sampler)
    sampler.skip(done)
    assert len(sampler) == 37
    assert keys(sampler) == whole[done:]
    assert keys(sampler) == whole


def test_skipping_more_than_an_epoch_is_refused(scenes: SceneDataset) -> None:
    with pytest.raises(SamplingError, match="Cannot skip 38 of 37"):
        OverlapPairSampler(scenes, size=16, length=37).skip(38)


def test_centres_lie_in_the_region_of_interest(make_scene) -> None:
    scenes = SceneDataset(make_scene(np.ones((1, 100, 100), np.uint8)))
    left, bottom, right, top = scenes.index.total_bounds
    roi = shapely.box(left, bottom, (left + right) / 2, top)
    sampler = OverlapPairSampler(scenes, size=8, length=100, roi=roi)
    centers = np.stack([i.pixel_to_scene[:, 0, 2] + 4 for i in sampler])
    assert centers.max() <= 50


@pytest.mark.parametrize("crs", ["EPSG:32612", "EPSG:4326"])
def test_a_small_area_of_a_large_scene_is_found(make_scene, crs) -> None:
    path = make_scene(np.ones((1, 2000, 3000), np.uint8), tiled=True, blockxsize=64, blockysize=64)
    left, _, _, top = SceneDataset(path).index.total_bounds
    square = shapely.box(left + 30 * 2500, top - 30 * 1540, left + 30 * 2540, top - 30 * 1500)
    area = gpd.GeoSeries([square], crs="EPSG:32612").to_crs(crs)
    sampler = OverlapPairSampler(SceneDataset(path, aoi=area), size=16, length=64)
    centers = np.concatenate([i.pixel_to_scene[..., 2] + 8 for i in sampler])
    assert ((centers > [2499, 1499]) & (centers < [2541, 1541])).all()
    assert (centers.max(axis=0) - centers.min(axis=0) > 20).all()


def test_a_little_data_in_a_large_scene_is_found(make_scene) -> None:
    pixels = np.zeros((1, 2000, 3000), np.uint8)
    pixels[:, 1500:1540, 2500:2540] = 1
    path = make_scene(pixels, nodata=0, tiled=True, blockxsize=64, blockysize=64)
    sampler = OverlapPairSampler(SceneDataset(path), size=16, length=64, min_valid=1)
    corners = np.concatenate([i.pixel_to_scene[..., 2] for i in sampler])
    assert ((corners >= [2500, 1500]) & (corners <= [2524, 1524])).all()


def test_scenes_are_chosen_by_their_part_of_the_area(make_scene) -> None:
    paths = [
        make_scene(
            np.ones((1, 100, 100), np.uint8), f"{i}.tif", transform=Affine(1, 0, i * 100, 0, -1, 9)
        )
        for i in range(2)
    ]
    dataset = SceneDataset(paths, aoi=shapely.box(0, -91, 101, 9))
    sampler = OverlapPairSampler(dataset, size=8, length=512, pairs_per_cell=1)
    assert sum(index.scenes[0] for index in sampler) < 30


def test_ranks_share_out_what_one_process_draws(scenes: SceneDataset, monkeypatch) -> None:
    alone = keys(OverlapPairSampler(scenes, size=16, length=48))
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    drawn = []
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        drawn.append(keys(OverlapPairSampler(scenes, size=16, length=48)))
    assert [len(d) for d in drawn] == [16, 16, 16]
    assert sorted(chain.from_iterable(drawn)) == sorted(alone)


def test_ranks_beyond_the_number_of_scenes_and_of_pairs_draw_as_many_as_the_others(
    scenes: SceneDataset, monkeypatch
) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 5)
    drawn = []
    for rank in range(5):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        drawn.append(keys(OverlapPairSampler(scenes, size=16, length=3, seed=5)))
    assert [len(each) for each in drawn] == [1] * 5
    assert len(set(chain(*drawn))) == 5


def test_scenes_smaller_than_a_view_are_passed_over(scenes: SceneDataset) -> None:
    assert {i.scenes[0] for i in OverlapPairSampler(scenes, size=45, length=20)} == {0}


def test_no_scene_large_enough_is_one_sentence(scenes: SceneDataset) -> None:
    with pytest.raises(SamplingError, match="No scene is as large as a view of 200 x 200"):
        OverlapPairSampler(scenes, size=200, length=1)


def test_nothing_valid_enough_is_one_sentence(make_scene) -> None:
    array = np.ones((1, 64, 64), np.uint8)
    array[0, ::2] = 0
    scenes = SceneDataset(make_scene(array, nodata=0))
    sampler = OverlapPairSampler(scenes, size=16, length=4, min_valid=0.9)
    with pytest.raises(SamplingError, match="No pair found"):
        next(iter(sampler))


@pytest.mark.parametrize(
    "options",
    [
        {"overlap": (0.8, 0.2)},
        {"overlap": (-0.1, 0.2)},
        {"zoom": (0, 1)},
        {"zoom": (2, 1)},
        {"min_valid": 1.1},
        {"length": 0},
    ],
)
def test_impossible_options_are_refused(scenes: SceneDataset, options: dict) -> None:
    with pytest.raises(SamplingError):
        OverlapPairSampler(scenes, **({"size": 16, "length": 4} | options))
