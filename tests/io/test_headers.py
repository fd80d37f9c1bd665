"""Headers are kept while their files stay as they are, and never believed beyond that."""

import os
from pathlib import Path

import numpy as np
import pytest
from rasterio.shutil import copy

from sscl_geo import CloudMask, SceneDataset
from sscl_geo.errors import SceneError
from sscl_geo.io import headers
from sscl_geo.io.scene import open_scene

PIXELS = np.ones((2, 20, 30), np.uint8)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("SSCL_GEO_CACHE", str(folder))
    monkeypatch.setattr(headers, "_WORTH_KEEPING", 2)
    return folder


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Names of the files that are really opened."""
    names: list[str] = []

    def counting(path, **options):
        names.append(Path(path).name)
        return open_scene(path, **options)

    monkeypatch.setattr(headers, "open_scene", counting)
    return names


@pytest.fixture
def folder(make_scene, tmp_path) -> str:
    (tmp_path / "scenes").mkdir()
    for number, grid in enumerate(["utm", "rotated", "geographic"]):
        path = f"scenes/s{number}_20200518.tif"
        make_scene(PIXELS, path, grid=grid, nodata=float(number), descriptions=("red", "nir"))
    return str(tmp_path / "scenes")


def test_a_kept_header_is_the_header(folder: str, opened) -> None:
    first = SceneDataset(folder).scenes
    assert len(opened) == 3
    assert SceneDataset(folder).scenes == first
    assert len(opened) == 3


def test_nodata_that_is_not_a_number_is_kept(make_scene, tmp_path, opened) -> None:
    paths = [
        make_scene(PIXELS.astype(np.float32), f"{i}.tif", nodata=float("nan")) for i in range(2)
    ]
    for _ in range(2):
        assert np.isnan(SceneDataset(paths).scenes[0].nodata).all()
    assert len(opened) == 2


def test_a_file_that_changed_is_opened(folder: str, opened) -> None:
    SceneDataset(folder)
    os.utime(Path(folder) / "s1_20200518.tif", ns=(1, 1))
    SceneDataset(folder)
    assert opened[3:] == ["s1_20200518.tif"]


def test_a_file_that_got_a_mask_is_opened(folder: str, opened) -> None:
    SceneDataset(folder)
    Path(folder, "s2_20200518.tif.msk").write_bytes(b"")
    SceneDataset(folder)
    assert opened[3:] == ["s2_20200518.tif"]


def test_only_a_file_that_was_added_is_opened(folder: str, opened, make_scene) -> None:
    SceneDataset(folder)
    make_scene(PIXELS, "scenes/s9.tif")
    assert len(SceneDataset(folder).scenes) == 4
    assert opened[3:] == ["s9.tif"]
    SceneDataset(folder)
    assert len(opened) == 4


def test_another_way_to_find_dates_is_another_header(folder: str, opened) -> None:
    SceneDataset(folder)
    years = SceneDataset(folder, date_pattern=r"_(?P<date>\d{4})", date_format="%Y")
    assert {scene.date.month for scene in years.scenes} == {1}
    assert len(opened) == 6


def test_cloud_masks_come_back_with_their_rule(make_scene, opened, tmp_path) -> None:
    for i in range(2):
        make_scene(PIXELS, f"s{i}.tif")
        make_scene(PIXELS, f"s{i}_cloud.tif")
    rule = CloudMask(values=frozenset({1}), beside=((r"(s\d)\.tif$", r"\1_cloud.tif"),))
    files = [str(tmp_path / f"s{i}.tif") for i in range(2)]
    first = SceneDataset(files, clouds=rule).scenes
    assert SceneDataset(files, clouds=rule).scenes == first
    assert len(opened) == 2
    os.utime(tmp_path / "s1_cloud.tif", ns=(1, 1))
    SceneDataset(files, clouds=rule)
    assert opened[2:] == ["s1.tif"]


def test_virtual_rasters_are_always_opened(folder: str, opened, tmp_path) -> None:
    for i in range(2):
        copy(Path(folder) / f"s{i}_20200518.tif", tmp_path / f"{i}.vrt", driver="VRT")
    for _ in range(2):
        SceneDataset(str(tmp_path / "*.vrt"))
    assert len(opened) == 4


@pytest.mark.parametrize("content", ["", "[1]", '{"x": 1}', '{"PATH": {"state": null}}'])
def test_a_damaged_file_is_rebuilt_without_a_word(folder: str, opened, cache, content) -> None:
    first = SceneDataset(folder).scenes
    (file,) = cache.rglob("*.json")
    file.write_text(content.replace("PATH", first[0].path))
    assert SceneDataset(folder).scenes == first
    assert SceneDataset(folder).scenes == first
    assert len(opened) == 6


def test_entries_of_another_shape_are_opened(folder: str, opened, cache) -> None:
    first = SceneDataset(folder).scenes
    (file,) = cache.rglob("*.json")
    file.write_text(file.read_text().replace('"geobox"', '"grid"'))
    assert SceneDataset(folder).scenes == first
    assert len(opened) == 6


def test_a_file_that_is_gone_is_missed(folder: str, opened) -> None:
    files = sorted(map(str, Path(folder).iterdir()))
    SceneDataset(files)
    Path(files[0]).unlink()
    with pytest.raises(SceneError, match="There is no file"):
        SceneDataset(files, strict=True)


def test_few_headers_are_not_kept(make_scene, cache, opened) -> None:
    SceneDataset(make_scene(PIXELS))
    assert not list(cache.rglob("*.json"))
