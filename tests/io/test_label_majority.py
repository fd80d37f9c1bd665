"""Class rasters on coarser grids, by majority: compared with counting by hand."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.warp import Resampling, reproject

from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.errors import ConfigError
from sscl_geo.io import label_raster
from sscl_geo.io.labels import LabelOptions, open_labels


def patchy(shape, seed=0, values=(1, 2, 5, 255)):
    """Classes in patches of a few pixels, some without a label."""
    coarse = np.random.default_rng(seed).choice(values, (-(-shape[0] // 3), -(-shape[1] // 3)))
    return np.repeat(np.repeat(coarse, 3, 0), 3, 1)[: shape[0], : shape[1]].astype(np.uint8)


def votes(values, factor, classes):
    """Labelled pixels of each class in each block of factor x factor pixels."""
    rows, cols = (side // factor for side in values.shape)
    blocks = values[: rows * factor, : cols * factor].reshape(rows, factor, cols, factor)
    return np.stack([(blocks == c).sum(axis=(1, 3)) for c in classes])


def coarser(geobox, factor):
    shape = tuple(side // factor for side in geobox.shape)
    return GeoBox(shape, geobox.affine * Affine.scale(factor), geobox.crs)


@pytest.mark.parametrize("factor", [2, 3, 7, 10])
@pytest.mark.parametrize("grid", ["utm", "south_up", "rotated", "geographic"])
def test_a_coarse_pixel_gets_the_most_frequent_class_in_it(make_scene, grid, factor):
    values = patchy((61, 83))
    labels = open_labels(make_scene(values[None], grid=grid, nodata=255), resampling="majority")
    counts = votes(values, factor, labels.classes.values)
    indices = labels.on_grid(coarser(labels.scene.geobox, factor))
    assert np.array_equal(indices == IGNORE_INDEX, counts.sum(axis=0) == 0)
    row, col = np.nonzero(indices != IGNORE_INDEX)
    # Where two classes are equally frequent, either is right.
    assert (counts[indices[row, col], row, col] == counts.max(axis=0)[row, col]).all()
    assert (counts.max(axis=0) < factor**2).any()


def test_another_crs_agrees_with_gdal(make_scene):
    values = patchy((150, 170))
    path = make_scene(values[None], nodata=255)
    target = GeoBox((37, 41), Affine(1e-3, 0, -113.2505, 0, -1e-3, 37.02), "EPSG:4326")
    labels = open_labels(path, resampling="majority")
    expected = np.full(target.shape, 255, np.uint8)
    with rasterio.open(path) as source:
        reproject(
            rasterio.band(source, 1), expected, dst_transform=target.affine, dst_crs="EPSG:4326",
            dst_nodata=255, resampling=Resampling.mode, tolerance=0,
        )  # fmt: skip
    got = np.array([*labels.classes.values] + [255] * 253)[labels.on_grid(target)]
    assert (got != 255).any()
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("largest", [1500, 10_000])
def test_the_result_does_not_depend_on_how_it_is_read(make_scene, monkeypatch, largest):
    labels = open_labels(make_scene(patchy((151, 173))[None], nodata=255), resampling="majority")
    target = GeoBox((29, 31), Affine(160, 0, 300_000, 0, -163, 4_100_100), "EPSG:26912")
    whole = labels.on_grid(target)
    monkeypatch.setattr(label_raster, "_LARGEST", largest)
    assert np.array_equal(labels.on_grid(target), whole)
    for window in (np.s_[0:7, 3:9], np.s_[13:14, 30:31]):
        assert np.array_equal(labels.on_grid(target[window]), whole[window])


def test_the_rasters_own_grid_comes_through_untouched(make_scene):
    values = patchy((40, 50))
    labels = open_labels(make_scene(values[None], nodata=255), resampling="majority")
    indices = labels.on_grid(labels.scene.geobox)
    assert np.array_equal(np.array([1, 2, 5] + [255] * 253)[indices], values)


def test_classes_are_merged_before_they_vote(make_scene):
    values = np.array([[[1, 2, 3], [1, 2, 3], [3, 3, 1]]], np.uint8)  # 3 x 1, 2 x 2, 4 x 3
    path = make_scene(values)
    coarse = coarser(open_labels(path).scene.geobox, 3)
    plain = open_labels(path, resampling="majority")
    merged = open_labels(path, resampling="majority", remap={2: 1})
    assert plain.classes.values[plain.on_grid(coarse)[0, 0]] == 3
    assert merged.classes.values[merged.on_grid(coarse)[0, 0]] == 1


def test_an_unknown_resampling_is_refused_with_the_list():
    with pytest.raises(ConfigError, match="'mode'; take nearest, majority"):
        LabelOptions(resampling="mode")
