"""Decoded copies of scenes: the same pixels, made once, safe to share."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import rasterio

from sscl_geo.io.decoded_cache import DecodedCache
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import open_scene


@pytest.fixture
def path(make_scene) -> Path:
    array = np.random.default_rng(0).integers(0, 60000, (3, 170, 90)).astype(np.uint16)
    return make_scene(array, nodata=5, tiled=True, blockxsize=64, blockysize=64, compress="deflate")


def test_the_copy_is_what_a_reader_reads(path: Path, tmp_path: Path) -> None:
    reader = SceneReader(open_scene(path))
    copy = DecodedCache(tmp_path / "cache").open(reader)
    whole = reader.read_raw(0, 0, 170, 90)
    np.testing.assert_array_equal(copy.pixels, whole.pixels)
    np.testing.assert_array_equal(copy.valid, whole.valid)
    assert copy.pixels.dtype == np.uint16


def test_the_second_use_does_not_decode(path: Path, tmp_path: Path, monkeypatch) -> None:
    cache = DecodedCache(tmp_path / "cache")
    cache.open(SceneReader(open_scene(path)))
    monkeypatch.setattr(SceneReader, "read_raw", None)
    assert cache.open(SceneReader(open_scene(path))).pixels.shape == (3, 170, 90)


def test_other_bands_are_another_copy(path: Path, tmp_path: Path) -> None:
    cache = DecodedCache(tmp_path / "cache")
    cache.open(SceneReader(open_scene(path)))
    one = cache.open(SceneReader(open_scene(path), ["band_2"]))
    assert one.pixels.shape == (1, 170, 90)


def test_a_file_that_changed_is_decoded_anew(path: Path, tmp_path: Path) -> None:
    cache = DecodedCache(tmp_path / "cache")
    cache.open(SceneReader(open_scene(path)))
    os.utime(path, ns=(1, 1))
    cache.open(SceneReader(open_scene(path)))
    assert len(list((tmp_path / "cache").glob("*.pixels.npy"))) == 2


def test_runs_that_start_at_once_share_a_folder(path: Path, tmp_path: Path) -> None:
    expected = SceneReader(open_scene(path)).read_raw(0, 0, 170, 90).pixels
    wrong = []

    def use() -> None:
        copy = DecodedCache(tmp_path / "cache").open(SceneReader(open_scene(path)))
        if not np.array_equal(copy.pixels, expected):
            wrong.append(copy)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(list((tmp_path / "cache").iterdir())) == 2


USE = """
import sys
from sscl_geo.io.decoded_cache import DecodedCache
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import open_scene
from pathlib import Path

path, folder = sys.argv[1:]
reader = SceneReader(open_scene(path))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(5):
    copy = DecodedCache(Path(folder)).open(reader)
    print(int(copy.pixels.sum()), int(copy.valid.sum()))
"""


def test_processes_that_start_at_once_share_a_folder(path: Path, tmp_path: Path) -> None:
    whole = SceneReader(open_scene(path)).read_raw(0, 0, 170, 90)
    command = [sys.executable, "-c", USE, str(path), str(tmp_path / "cache")]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    truth = f"{int(whole.pixels.sum())} {int(whole.valid.sum())}\n" * 5
    assert [process.communicate()[0] for process in processes] == [truth] * 2
    assert [process.returncode for process in processes] == [0, 0]
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_mask_that_changed_is_decoded_anew(path: Path, tmp_path: Path) -> None:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as target:
        target.write_mask(np.ones((170, 90), bool))
    cache = DecodedCache(tmp_path / "cache")
    before = cache.open(SceneReader(open_scene(path))).valid.mean()
    with rasterio.open(path, "r+") as target:
        target.write_mask(np.zeros((170, 90), bool))
    assert before > 0.9
    assert not cache.open(SceneReader(open_scene(path))).valid.any()
