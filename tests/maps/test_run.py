"""Whether a run may go on from another."""

import os

import numpy as np
import rasterio
import rasterio.shutil
import torch

from sscl_geo.io.scene import open_scene
from sscl_geo.maps.run import run_hash

NETWORK = torch.nn.Conv2d(1, 2, 1)


def test_a_changed_source_of_a_virtual_raster_is_another_run(make_scene):
    tile = make_scene(np.ones((1, 8, 8), np.uint8), "tile.tif")
    mosaic = tile.with_name("mosaic.vrt")
    rasterio.shutil.copy(tile, mosaic, driver="VRT")
    first = run_hash(open_scene(mosaic), NETWORK, {})
    assert run_hash(open_scene(mosaic), NETWORK, {}) == first
    make_scene(np.full((1, 8, 8), 2, np.uint8), "tile.tif")
    os.utime(tile, (0, 0))
    assert run_hash(open_scene(mosaic), NETWORK, {}) != first


def test_a_changed_mask_is_another_run(make_scene):
    scene = make_scene(np.ones((1, 8, 8), np.uint8))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(scene, "r+") as raster:
        raster.write_mask(np.full((8, 8), 255, np.uint8))
    first = run_hash(open_scene(scene), NETWORK, {})
    os.utime(f"{scene}.msk", (0, 0))
    assert run_hash(open_scene(scene), NETWORK, {}) != first


def test_a_scene_is_the_same_from_another_working_directory(make_scene, monkeypatch):
    path = make_scene(np.ones((1, 8, 8), np.uint8))
    first = run_hash(open_scene(path), NETWORK, {})
    monkeypatch.chdir(path.parent)
    assert run_hash(open_scene(path.name), NETWORK, {}) == first
