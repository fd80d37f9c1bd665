from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from sscl_geo.maps.cog import write_cog
from sscl_geo.maps.layers import Layer
from sscl_geo.maps.raw import RawRaster


@pytest.fixture
def as_raw(tmp_path):
    """Write pixels as the raster that a copy is compared with."""

    def write(pixels: NDArray[np.generic]) -> RawRaster:
        bands = tuple(map(str, range(len(pixels))))
        layer = Layer("classes", bands, lambda values: values, pixels.dtype.name)
        raster = RawRaster(Path(tmp_path, "pixels.raw"), layer, pixels.shape[1:])
        raster.write(0, 0, pixels)
        raster.close()
        return raster

    return write


def test_pixels_and_grid_are_copied(make_scene, read, as_raw, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 5, (1, 700, 650)).astype(np.uint8)
    source = make_scene(pixels, grid="rotated", nodata=255, tiled=True)
    write_cog(source, tmp_path / "cog.tif", "MODE", as_raw(pixels))
    np.testing.assert_array_equal(read(tmp_path / "cog.tif"), pixels[0])
    with rasterio.open(source) as a, rasterio.open(tmp_path / "cog.tif") as b:
        assert (a.crs, a.transform, a.nodata) == (b.crs, b.transform, b.nodata)
        assert b.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert b.compression.name == "deflate"


def test_overviews_of_classes_show_the_most_frequent_one(make_scene, as_raw, tmp_path):
    pixels = np.tile(np.array([[1, 1], [1, 7]], dtype=np.uint8), (300, 300))[None]
    source = make_scene(pixels, tiled=True)
    write_cog(source, tmp_path / "cog.tif", "MODE", as_raw(pixels))
    with rasterio.open(tmp_path / "cog.tif", overview_level=0) as overview:
        assert (overview.read(1) == 1).all()


def test_overviews_of_percents_leave_pixels_without_data_out(make_scene, as_raw, tmp_path):
    pixels = np.tile(np.array([[40, 60], [50, 255]], dtype=np.uint8), (300, 300))[None]
    source = make_scene(pixels, nodata=255, tiled=True)
    write_cog(source, tmp_path / "cog.tif", "AVERAGE", as_raw(pixels))
    with rasterio.open(tmp_path / "cog.tif", overview_level=0) as overview:
        assert (overview.read(1) == 50).all()


def test_a_block_that_was_never_written_is_noticed(make_scene, as_raw, tmp_path):
    pixels = np.ones((1, 64, 64), dtype=np.uint8)
    source = make_scene(np.zeros_like(pixels))
    with pytest.raises(OSError, match="missing"):
        write_cog(source, tmp_path / "cog.tif", "MODE", as_raw(pixels))


def test_pixels_that_are_not_numbers_are_the_same_where_their_bits_are(
    make_scene, read, as_raw, tmp_path
):
    pixels = np.full((2, 600, 5), np.nan, np.float32)
    pixels[:, ::2] = 0.5
    write_cog(make_scene(pixels), tmp_path / "cog.tif", "AVERAGE", as_raw(pixels))
    np.testing.assert_array_equal(read(tmp_path / "cog.tif"), pixels[0])
