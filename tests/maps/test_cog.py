import zlib

import numpy as np
import pytest
import rasterio

from sscl_geo.maps.cog import write_cog


def test_pixels_and_grid_are_copied(make_scene, read, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 5, (1, 700, 650)).astype(np.uint8)
    source = make_scene(pixels, grid="rotated", nodata=255, tiled=True)
    write_cog(source, tmp_path / "cog.tif", "MODE", zlib.crc32(pixels))
    np.testing.assert_array_equal(read(tmp_path / "cog.tif"), pixels[0])
    with rasterio.open(source) as a, rasterio.open(tmp_path / "cog.tif") as b:
        assert (a.crs, a.transform, a.nodata) == (b.crs, b.transform, b.nodata)
        assert b.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert b.compression.name == "deflate"


def test_overviews_of_classes_show_the_most_frequent_one(make_scene, tmp_path):
    pixels = np.tile(np.array([[1, 1], [1, 7]], dtype=np.uint8), (300, 300))[None]
    source = make_scene(pixels, tiled=True)
    write_cog(source, tmp_path / "cog.tif", "MODE", zlib.crc32(pixels))
    with rasterio.open(tmp_path / "cog.tif", overview_level=0) as overview:
        assert (overview.read(1) == 1).all()


def test_overviews_of_percents_leave_pixels_without_data_out(make_scene, tmp_path):
    pixels = np.tile(np.array([[40, 60], [50, 255]], dtype=np.uint8), (300, 300))[None]
    source = make_scene(pixels, nodata=255, tiled=True)
    write_cog(source, tmp_path / "cog.tif", "AVERAGE", zlib.crc32(pixels))
    with rasterio.open(tmp_path / "cog.tif", overview_level=0) as overview:
        assert (overview.read(1) == 50).all()


def test_a_block_that_was_never_written_is_noticed(make_scene, tmp_path):
    pixels = np.ones((1, 64, 64), dtype=np.uint8)
    source = make_scene(np.zeros_like(pixels))
    with pytest.raises(OSError, match="missing"):
        write_cog(source, tmp_path / "cog.tif", "MODE", zlib.crc32(pixels))
