"""Maps of an area of interest."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from shapely.geometry import box

from sscl_geo import segment
from sscl_geo.errors import ConfigError
from sscl_geo.io.scene import open_scene


def test_only_the_area_of_interest_is_segmented(make_scene, make_pixels, constant, read, tmp_path):
    scene = open_scene(make_scene(make_pixels(300, 400)))
    x, y = scene.geobox.affine * (100.0, 50.0)
    area = box(x, y - 60 * 30, x + 80 * 30, y)
    network = constant((0.2, 0.5, 0.3))
    made = segment(scene, network, tmp_path / "m.tif", tile=64, margin=0, overlap=0, aoi=area)
    expected = np.full((300, 400), 255)
    expected[50:110, 100:180] = 1
    np.testing.assert_array_equal(read(made.class_map), expected)
    assert network.tiles == 4


def test_an_area_elsewhere_is_refused(make_scene, make_pixels, constant, tmp_path):
    scene = open_scene(make_scene(make_pixels(30, 40)))
    with pytest.raises(ConfigError, match="no ground"):
        segment(scene, constant((0.2, 0.5, 0.3)), tmp_path / "m.tif", aoi=box(0, 0, 1, 1))


def test_a_part_of_the_area_that_only_touches_the_scene_takes_no_pixels(
    make_scene, make_pixels, constant, read, tmp_path
):
    scene = open_scene(make_scene(make_pixels(30, 40)))
    left, bottom, right, top = scene.geobox.extent.geom.bounds
    inside = box(left + 300, top - 600, left + 600, top - 300)
    beside = [box(left - 90, bottom, left, top), box(left, top, right, top + 90)]
    area = shapely.union_all([inside, *beside])
    made = segment(scene, constant((0.2, 0.5, 0.3)), tmp_path / "m.tif", aoi=area)
    expected = np.full((30, 40), 255)
    expected[10:20, 10:20] = 1
    np.testing.assert_array_equal(read(made.class_map), expected)


def test_longitudes_of_the_scene_may_go_on_beyond_180_degrees(
    make_scene, make_pixels, constant, read, tmp_path
):
    across = Affine(0.1, 0, 178, 0, -0.1, 50)
    scene = open_scene(make_scene(make_pixels(30, 40), crs="EPSG:4326", transform=across))
    halves = [box(179, 48, 180, 49), box(-180, 48, -179, 49)]
    area = gpd.GeoSeries([shapely.union_all(halves)], crs="EPSG:4326")
    made = segment(scene, constant((0.2, 0.5, 0.3)), tmp_path / "m.tif", aoi=area)
    expected = np.full((30, 40), 255)
    expected[10:20, 10:30] = 1
    np.testing.assert_array_equal(read(made.class_map), expected)
