"""The same map however the work was cut, on every size and grid."""

import numpy as np
import pytest
import rasterio

from sscl_geo.classes import NODATA
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.segment import segment

SIZES = [(1, 1), (1, 131), (127, 128), (128, 127), (129, 131), (193, 191), (255, 257)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tile", [128, 192, 256, 512])
def test_map_is_that_of_the_whole_scene_seen_at_once(
    make_scene, make_pixels, convolution, agrees, read, tmp_path, size, tile
):
    pixels = make_pixels(*size)
    scene = open_scene(make_scene(pixels))
    made = segment(scene, convolution, tmp_path / "map.tif", tile=tile, overlap=0.25)
    agrees(read(made.class_map), convolution.whole(pixels.astype(np.float32)), convolution.classes)


@pytest.mark.parametrize("overlap", [0, 0.1, 0.5])
@pytest.mark.parametrize("margin", [3, 17])
@pytest.mark.parametrize("stride", [1, 16])
def test_overlap_margin_and_stride_do_not_change_the_map(
    make_scene, make_pixels, convolution, agrees, read, tmp_path, overlap, margin, stride
):
    pixels = make_pixels(151, 173)
    convolution.stride = stride
    made = segment(
        open_scene(make_scene(pixels)),
        convolution,
        tmp_path / "map.tif",
        tile=64,
        margin=margin,
        overlap=overlap,
        batch_size=3,
    )
    agrees(read(made.class_map), convolution.whole(pixels.astype(np.float32)), convolution.classes)


@pytest.mark.parametrize(
    "grid", ["utm", "south_up", "non_square", "rotated", "web_mercator", "geographic"]
)
def test_map_lies_on_the_grid_of_its_scene(
    make_scene, make_pixels, convolution, tmp_path, agrees, grid
):
    pixels = make_pixels(97, 141, nodata_corner=True)
    path = make_scene(pixels, grid=grid, nodata=0)
    made = segment(open_scene(path), convolution, tmp_path / "map.tif", tile=64, margin=4)
    with rasterio.open(path) as source, rasterio.open(made.class_map) as target:
        assert target.crs == source.crs
        assert target.transform.almost_equals(source.transform, 1e-9)
        assert target.shape == source.shape
        values = target.read(1)
    valid = (pixels != 0).all(axis=0)
    whole = convolution.whole(np.where(valid, pixels, 0).astype(np.float32))
    np.testing.assert_array_equal(values == NODATA, ~valid)
    agrees(values[valid][None], whole[:, valid][:, None], convolution.classes)


def test_custom_crs_without_a_code_is_kept(make_scene, make_pixels, convolution, tmp_path):
    laea = "+proj=laea +lat_0=51.3 +lon_0=9.7 +x_0=12345 +y_0=0 +ellps=GRS80 +units=m"
    path = make_scene(make_pixels(30, 20), crs=laea)
    made = segment(open_scene(path), convolution, tmp_path / "map.tif", tile=64)
    with rasterio.open(path) as source, rasterio.open(made.class_map) as target:
        assert target.crs == source.crs


def test_the_same_pixels_in_another_extent_give_the_same_classes(
    make_scene, make_pixels, convolution, read, tmp_path
):
    pixels = make_pixels(160, 160)
    whole = make_scene(pixels, "whole.tif")
    part = make_scene(pixels[:, 37:141, 21:150], "part.tif")
    options = {"tile": 64, "margin": 4}
    first = read(segment(open_scene(whole), convolution, tmp_path / "a.tif", **options).class_map)
    second = read(segment(open_scene(part), convolution, tmp_path / "b.tif", **options).class_map)
    inner = np.s_[40:138, 24:147]  # the edge of an extent is mirrored, 3 pixels deep
    different = first[inner] != second[3:-3, 3:-3]
    assert different.mean() < 1e-3


def test_outermost_pixels_have_a_class(make_scene, make_pixels, convolution, read, tmp_path):
    scene = open_scene(make_scene(make_pixels(130, 70)))
    values = read(segment(scene, convolution, tmp_path / "m.tif", tile=64, margin=0).class_map)
    assert (values != NODATA).all()


def test_equal_probabilities_give_the_first_class(
    make_scene, make_pixels, constant, read, tmp_path
):
    network = constant((0.4, 0.4, 0.2))
    scene = open_scene(make_scene(make_pixels(100, 100)))
    values = read(segment(scene, network, tmp_path / "m.tif", tile=64, overlap=0.5).class_map)
    assert (values == network.classes[0].value).all()


def test_tiles_without_data_are_not_shown_to_the_network(
    make_scene, make_pixels, constant, read, tmp_path
):
    pixels = make_pixels(192, 256)
    pixels[:, :, :200] = 0
    pixels[:, :150] = 0
    network = constant((0.1, 0.2, 0.7))
    scene = open_scene(make_scene(pixels, nodata=0))
    values = read(
        segment(scene, network, tmp_path / "m.tif", tile=64, margin=0, overlap=0).class_map
    )
    assert network.tiles == 1
    np.testing.assert_array_equal(values == 9, (pixels != 0).all(axis=0))


def test_pixels_masked_by_alpha_or_nan_have_no_class(make_scene, convolution, read, tmp_path):
    pixels = np.random.default_rng(0).random((2, 70, 90)).astype(np.float32) * 100
    pixels[1, 10:30, 20:40] = np.nan
    scene = open_scene(make_scene(pixels))
    values = read(segment(scene, convolution, tmp_path / "m.tif", tile=64, margin=4).class_map)
    np.testing.assert_array_equal(values == NODATA, np.isnan(pixels[1]))


def test_bands_are_read_in_the_order_of_the_network(
    make_scene, make_pixels, convolution, agrees, read, tmp_path
):
    pixels = make_pixels(50, 60)
    path = make_scene(pixels[[1, 1, 0]], descriptions=("nir", "other", "red"))
    values = read(segment(open_scene(path), convolution, tmp_path / "m.tif", tile=64).class_map)
    agrees(values, convolution.whole(pixels.astype(np.float32)), convolution.classes)


def test_bands_that_share_a_name_are_read_in_their_order(
    make_scene, make_pixels, convolution, agrees, read, tmp_path
):
    pixels = make_pixels(50, 60)
    path = make_scene(pixels, descriptions=("reflectance", "reflectance"))
    values = read(segment(open_scene(path), convolution, tmp_path / "m.tif", tile=64).class_map)
    agrees(values, convolution.whole(pixels.astype(np.float32)), convolution.classes)
