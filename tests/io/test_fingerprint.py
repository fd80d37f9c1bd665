"""A scene's fingerprint changes with everything that its pixels depend on."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy

from sscl_geo.errors import SceneError
from sscl_geo.io.cloud_mask import CloudMask
from sscl_geo.io.fingerprint import file_state, fingerprint
from sscl_geo.io.scene import Scene, open_scene
from sscl_geo.io.vrt import stack_bands

PIXELS = np.random.default_rng(0).integers(1, 200, (1, 20, 30)).astype(np.uint8)


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def changes(scene: Scene, change: Callable[[], None]) -> bool:
    before = fingerprint(scene)
    assert fingerprint(scene) == before
    change()
    return fingerprint(scene) != before


def test_the_file_itself(make_scene) -> None:
    path = make_scene(PIXELS)
    assert changes(open_scene(path), lambda: touch(path))


def test_a_mask_file_beside_it(make_scene) -> None:
    path = make_scene(PIXELS)
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False),
        rasterio.open(path, "r+") as target,
    ):
        target.write_mask(PIXELS[0] > 100)
    mask = path.with_name(f"{path.name}.msk")
    assert changes(open_scene(path), lambda: touch(mask))


def test_a_mask_file_that_is_added(make_scene) -> None:
    path = make_scene(PIXELS)

    def add() -> None:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path) as source:
            profile = {**source.profile, "driver": "GTiff"}
        with rasterio.open(path.with_name(f"{path.name}.msk"), "w", **profile) as target:
            target.write(PIXELS)

    assert changes(open_scene(path), add)


def test_a_cloud_mask_in_another_file(make_scene) -> None:
    path, clouds = make_scene(PIXELS), make_scene(PIXELS, "clouds.tif")
    rule = CloudMask(values=frozenset({1}), beside=((r"scene\.tif$", "clouds.tif"),))
    assert changes(open_scene(path, clouds=rule), lambda: touch(clouds))


def test_the_rule_of_a_cloud_mask(make_scene) -> None:
    path, _ = make_scene(PIXELS), make_scene(PIXELS, "clouds.tif")
    beside = ((r"scene\.tif$", "clouds.tif"),)
    rules = [CloudMask(values=frozenset({v}), beside=beside) for v in (1, 2)]
    assert len({fingerprint(open_scene(path, clouds=rule)) for rule in rules}) == 2


def test_the_source_of_a_virtual_raster_within_another(make_scene, tmp_path) -> None:
    path = make_scene(PIXELS)
    copy(path, tmp_path / "inner.vrt", driver="VRT")
    copy(tmp_path / "inner.vrt", tmp_path / "outer.vrt", driver="VRT")
    assert changes(open_scene(tmp_path / "outer.vrt"), lambda: touch(path))


def test_a_part_of_joined_files(make_scene) -> None:
    paths = [make_scene(PIXELS, f"b{i}.tif") for i in range(2)]
    scene = open_scene("joined", vrt=stack_bands([open_scene(p) for p in paths], ["a", "b"]))
    assert changes(scene, lambda: touch(paths[1]))


def test_the_archive_a_scene_lies_in(make_scene, tmp_path) -> None:
    archive = tmp_path / "scenes.zip"
    with zipfile.ZipFile(archive, "w") as target:
        target.write(make_scene(PIXELS), "folder/scene.tif")
    scene = open_scene(f"/vsizip/{archive}/folder/scene.tif")
    assert changes(scene, lambda: touch(archive))


def test_files_that_nothing_depends_on_do_not_count(make_scene) -> None:
    path, other = make_scene(PIXELS), make_scene(PIXELS, "other.tif")
    assert not changes(open_scene(path), lambda: touch(other))


@pytest.mark.parametrize("name", ["https://host/a.tif", "/vsicurl/https://host/a.tif", "s3://b/a"])
def test_servers_are_not_asked(name: str) -> None:
    assert file_state(name) is None


def test_a_file_that_is_gone_is_one_sentence(make_scene) -> None:
    path = make_scene(PIXELS)
    scene = open_scene(path)
    path.unlink()
    with pytest.raises(SceneError, match="moved or deleted"):
        fingerprint(scene)
