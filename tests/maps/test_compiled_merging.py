import numpy as np
import pytest
import rasterio

from sscl_geo.io.scene import open_scene
from sscl_geo.maps import overviews
from sscl_geo.maps.compiled_merging import halve
from sscl_geo.maps.overviews import most_frequent
from sscl_geo.maps.segment import segment


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 255), ("uint16", 65535)])
@pytest.mark.parametrize("shape", [(2, 1, 2), (6, 3, 34), (40, 2, 514)])
def test_the_most_frequent_of_four_is_that_of_numpy(dtype, nodata, shape):
    values = np.array([0, 3, 254, nodata], dtype)
    rows = np.random.default_rng(0).choice(values, shape)
    found = np.empty((shape[0] // 2, shape[1], shape[2] // 2), dtype)
    halve(rows, nodata, found)
    corners = [rows[y::2, :, x::2].copy() for y in (0, 1) for x in (0, 1)]
    np.testing.assert_array_equal(found, most_frequent(corners, nodata))


def test_overviews_of_large_maps_are_those_of_small_ones(
    make_scene, make_pixels, convolution, tmp_path, monkeypatch
):
    scene = open_scene(make_scene(make_pixels(701, 1205, nodata_corner=True)))
    found = {}
    for least in (0, 10**9):
        monkeypatch.setattr(overviews, "COMPILED_FROM", least)
        made = segment(scene, convolution, tmp_path / f"{least}.tif")
        levels = []
        for level in range(2):
            with rasterio.open(made.class_map, overview_level=level) as overview:
                levels.append(overview.read())
        found[least] = levels
    for compiled, plain in zip(*found.values(), strict=True):
        np.testing.assert_array_equal(compiled, plain)
