"""The pair sampler: repeatable, within range, honest about what cannot be drawn."""

import numpy as np
import pytest
import shapely
import torch.distributed

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
    return [(i.scene, i.pixel_to_scene.tobytes()) for i in sampler]


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
    visits = [i.scene for i in OverlapPairSampler(scenes, size=8, length=3000)]
    assert np.mean(visits) == pytest.approx(2000 / (2000 + 10800), abs=0.03)


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


def test_the_window_of_an_index_covers_both_views(scenes: SceneDataset) -> None:
    for index in OverlapPairSampler(scenes, size=16, length=50, rotation=45):
        row, col, height, width = index.window
        window = shapely.box(col, row, col + width, row + height).buffer(1e-6)
        assert all(window.contains(v) for v in footprint(index.pixel_to_scene, (16, 16)))


def test_the_bounds_of_an_index_are_those_of_its_window(scenes: SceneDataset) -> None:
    index = next(iter(OverlapPairSampler(scenes, size=16, length=1)))
    row, col, height, width = index.window
    transform = scenes.scenes[index.scene].geobox.affine
    left, top = transform @ (col, row)
    right, bottom = transform @ (col + width, row + height)
    x, y = index
    assert (x.start, x.stop, y.start, y.stop) == pytest.approx((left, right, bottom, top))


def test_centres_lie_in_the_region_of_interest(make_scene) -> None:
    scenes = SceneDataset(make_scene(np.ones((1, 100, 100), np.uint8)))
    left, bottom, right, top = scenes.index.total_bounds
    roi = shapely.box(left, bottom, (left + right) / 2, top)
    sampler = OverlapPairSampler(scenes, size=8, length=100, roi=roi)
    centers = np.stack([i.pixel_to_scene[:, 0, 2] + 4 for i in sampler])
    assert centers.max() <= 50


def test_ranks_draw_other_pairs_in_equal_number(scenes: SceneDataset, monkeypatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    drawn = []
    for rank in (0, 1):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        drawn.append(keys(OverlapPairSampler(scenes, size=16, length=21)))
    assert len(drawn[0]) == len(drawn[1]) == 11
    assert not set(drawn[0]) & set(drawn[1])


def test_scenes_smaller_than_a_view_are_passed_over(scenes: SceneDataset) -> None:
    assert {i.scene for i in OverlapPairSampler(scenes, size=45, length=20)} == {0}


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
