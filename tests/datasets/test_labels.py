import geopandas as gpd
import numpy as np
import pytest
import shapely
import torch

from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.datasets.labels import LabelDataset
from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.errors import LabelError
from sscl_geo.io.labels import LabelOptions


@pytest.fixture
def values():
    return np.random.default_rng(0).choice([1, 4, 255], (1, 40, 60)).astype(np.uint8)


def as_indices(values):
    return np.select([values == 1, values == 4], [0, 1], IGNORE_INDEX)


def test_all_of_the_dataset_is_the_whole_raster(make_scene, values):
    dataset = LabelDataset(make_scene(values, nodata=255))
    assert np.array_equal(dataset[dataset.bounds]["mask"].numpy(), as_indices(values[0]))


def test_a_slice_by_map_coordinates_is_a_window(make_scene, values):
    dataset = LabelDataset(make_scene(values, nodata=255))
    left, top = 300_015, 4_100_025
    sample = dataset[left + 300 : left + 900, top - 600 : top - 150]
    assert sample["mask"].dtype == torch.int64
    assert np.array_equal(sample["mask"].numpy(), as_indices(values[0, 5:20, 10:30]))


def test_a_slice_beside_the_labels_is_an_index_error(make_scene, values):
    dataset = LabelDataset(make_scene(values, nodata=255))
    with pytest.raises(IndexError):
        dataset[0:300, 0:300]


def test_it_joins_scenes_in_torchgeos_way(make_scene, values):
    scene = make_scene(np.ones((2, 40, 60), np.float32), name="scene.tif")
    joined = SceneDataset(scene) & LabelDataset(make_scene(values, name="l.tif", nodata=255))
    sample = joined[joined.bounds]
    assert np.array_equal(sample["mask"].squeeze().numpy(), as_indices(values[0]))
    assert sample["image"].shape == (2, 40, 60)


def test_a_vector_file_needs_a_pixel_size_for_slices(tmp_path):
    path = tmp_path / "labels.gpkg"
    frame = gpd.GeoDataFrame(
        {"value": [3]}, geometry=[shapely.box(0, 0, 100, 50)], crs="EPSG:32612"
    )
    frame.to_file(path)
    with pytest.raises(LabelError, match="pixel size"):
        LabelDataset(path)[0:100, 0:50]
    assert LabelDataset(path, res=(10, 10))[0:100, 0:50]["mask"].tolist() == [[0] * 10] * 5


def test_options_reach_the_labels(make_scene, values):
    options = LabelOptions(remap={4: 1}, resampling="majority")
    dataset = LabelDataset(make_scene(values, nodata=255), options=options)
    assert dataset.classes.values == (1,)
    assert dataset.labels.resampling == "majority"
    labelled = dataset[dataset.bounds]["mask"].numpy() == 0
    assert np.array_equal(labelled, values[0] != 255)


def test_a_layer_counts_before_that_of_the_options(tmp_path):
    path = tmp_path / "labels.gpkg"
    for layer, value in (("a", 3), ("b", 4)):
        gpd.GeoDataFrame(
            {"value": [value]}, geometry=[shapely.box(0, 0, 100, 50)], crs="EPSG:32612"
        ).to_file(path, layer=layer)
    options = LabelOptions(layer="b")
    assert LabelDataset(path, options=options).classes.values == (4,)
    assert LabelDataset(path, layer="a", options=options).classes.values == (3,)
