"""Views of one place from two dates, followed back to the ground."""

from datetime import timedelta

import numpy as np
import pytest
import torch
from affine import Affine

from sscl_geo import OverlapPairSampler, PairDataset, SceneDataset
from sscl_geo.geometry.affine import compose, transform_points
from sscl_geo.geometry.footprint import footprint, overlap_share

BASE = Affine(10, 0, 500_000, 0, -10, 4_000_000)
DATES = ["20200101", "20200111", "20200301"]


def painted(make_scene, date: str, transform: Affine, crs: str = "EPSG:32612"):
    """A scene whose bands hold the map coordinates of each pixel's centre, from a local origin."""
    rows, cols = np.mgrid[:90, :110] + 0.5
    x, y = transform @ (cols, rows)
    pixels = np.stack([x - 500_000, y - 4_000_000]).astype(np.float32)
    return make_scene(pixels, f"scene_{date}.tif", transform=transform, crs=crs)


@pytest.fixture(params=["shifted", "finer"])
def series(make_scene, request) -> SceneDataset:
    if request.param == "shifted":
        # Co-registered grids differ by parts of a pixel, as real series do.
        others = [BASE @ Affine.translation(0.3, -0.6), BASE @ Affine.translation(-4.45, 2.2)]
    else:
        others = [BASE @ Affine.scale(0.5) @ Affine.translation(30, 20), BASE @ Affine.scale(0.75)]
    return SceneDataset(
        [painted(make_scene, d, t) for d, t in zip(DATES, [BASE, *others], strict=True)]
    )


def test_views_from_two_dates_name_the_ground_that_they_show(series: SceneDataset) -> None:
    sampler = OverlapPairSampler(
        series, size=16, length=40, max_time_apart=timedelta(days=100), overlap=(0.3, 1.0)
    )
    pairs = PairDataset(series, 16)
    mixed = 0
    x = torch.arange(16, dtype=torch.float64) + 0.5
    centers = torch.stack(torch.meshgrid(x, x, indexing="xy"), -1).reshape(-1, 2)
    origin = torch.tensor([500_000.0, 4_000_000.0], dtype=torch.float64)
    for index in sampler:
        sample = pairs[index]
        mixed += index.scenes[0] != index.scenes[1]
        ground = transform_points(sample["pixel_to_map"], centers) - origin
        shown = sample["image"].flatten(2).mT
        inner = sample["valid"].flatten(1)
        # 1e-3 pixels of 10 m; float32 coordinates of a few km hold 1e-4 m.
        edge = _at_scene_edge(series, index, 2)
        if not edge:
            assert (shown - ground).abs()[inner].max() < 1e-2
    assert mixed > 10


def test_south_up_scenes_pair_with_north_up_ones(make_scene) -> None:
    turned = BASE @ Affine.translation(0, 90) @ Affine.scale(1, -1)
    scenes = SceneDataset(
        [painted(make_scene, d, t) for d, t in zip(DATES[:2], [BASE, turned], strict=True)]
    )
    sampler = OverlapPairSampler(
        scenes, size=16, length=64, max_time_apart=timedelta(days=100), overlap=(0.3, 1.0)
    )
    to_map = [np.array(s.geobox.affine[:6]).reshape(2, 3) for s in scenes.scenes]
    mixed = [index for index in sampler if index.scenes[0] != index.scenes[1]]
    assert len(mixed) > 16
    for index in mixed:
        ground = [
            footprint(compose(to_map[scene], view), (16, 16))
            for scene, view in zip(index.scenes, index.pixel_to_scene, strict=True)
        ]
        assert 0.29 < overlap_share(*ground) <= 1


def _at_scene_edge(series: SceneDataset, index, margin: int) -> bool:
    for scene, (row, col, height, width) in zip(index.scenes, index.windows, strict=True):
        h, w = series.scenes[scene].shape
        if min(row, col, h - row - height, w - col - width) < margin:
            return True
    return False


def test_overlaps_hold_across_dates(series: SceneDataset) -> None:
    sampler = OverlapPairSampler(
        series, size=16, length=60, max_time_apart=timedelta(days=100), overlap=(0.5, 0.8)
    )
    pairs = PairDataset(series, 16)
    for index in sampler:
        views = footprint(pairs[index]["pixel_to_map"].numpy(), (16, 16))
        assert 0.5 - 1e-6 <= overlap_share(views[0], views[1]) <= 0.8 + 1e-6


def test_dates_further_apart_do_not_mix(series: SceneDataset) -> None:
    sampler = OverlapPairSampler(series, size=16, length=80, max_time_apart=timedelta(days=20))
    seen = {tuple(sorted(set(index.scenes))) for index in sampler}
    assert (0, 1) in seen
    assert not seen & {(0, 2), (1, 2)}


def test_without_a_span_of_time_views_come_from_one_scene(series: SceneDataset) -> None:
    sampler = OverlapPairSampler(series, size=16, length=40)
    assert all(len(set(index.scenes)) == 1 for index in sampler)


def test_shifted_dates_of_one_pixel_size_are_not_interpolated(make_scene) -> None:
    paths = [
        painted(make_scene, DATES[0], BASE),
        painted(make_scene, DATES[1], BASE @ Affine.translation(0.3, -0.6)),
    ]
    sampler = OverlapPairSampler(
        SceneDataset(paths), size=16, length=40, max_time_apart=timedelta(days=20)
    )
    for index in sampler:
        np.testing.assert_array_equal(index.pixel_to_scene[..., :2], np.stack([np.eye(2)] * 2))
        np.testing.assert_array_equal(
            index.pixel_to_scene[..., 2], index.pixel_to_scene[..., 2].round()
        )


def test_scenes_of_another_crs_are_no_partners(make_scene) -> None:
    paths = [
        painted(make_scene, DATES[0], BASE),
        painted(make_scene, DATES[1], BASE, crs="EPSG:32613"),
    ]
    sampler = OverlapPairSampler(
        SceneDataset(paths), size=16, length=20, max_time_apart=timedelta(days=20)
    )
    assert all(len(set(index.scenes)) == 1 for index in sampler)
