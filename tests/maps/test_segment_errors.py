"""Nothing half-written, and one sentence that says how to mend it."""

import resource
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sscl_geo.errors import BandError, ConfigError, OutputError, SceneError
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.segment import segment


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out" / "map.tif"


@pytest.fixture
def scene(make_scene, make_pixels):
    return open_scene(make_scene(make_pixels(120, 100)))


def left_in(folder):
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def test_a_scene_without_a_valid_pixel_is_refused(make_scene, convolution, out):
    scene = open_scene(make_scene(np.zeros((2, 90, 90), dtype=np.uint8), nodata=0))
    with pytest.raises(SceneError, match="no valid pixel"):
        segment(scene, convolution, out, tile=64)
    assert left_in(out.parent) == []


def test_a_scene_with_other_bands_is_refused_before_anything_is_written(
    make_scene, make_pixels, convolution, out
):
    scene = open_scene(make_scene(make_pixels(9, 9)[:1]))
    with pytest.raises(BandError, match="1 bands"):
        segment(scene, convolution, out)
    assert left_in(out.parent) == []


def test_a_tile_that_does_not_fit_the_network_is_refused(scene, convolution, out):
    convolution.stride = 32
    with pytest.raises(ConfigError, match="multiple"):
        segment(scene, convolution, out, tile=100)


def test_a_network_that_fails_leaves_an_earlier_map_alone(scene, convolution, constant, out):
    segment(scene, constant((0.2, 0.3, 0.5)), out)
    before = {p: p.read_bytes() for p in out.parent.iterdir()}

    class Failing(constant):
        def __call__(self, image, valid):
            if self.tiles > 3:
                raise RuntimeError("out of memory")
            return super().__call__(image, valid)

    with pytest.raises(RuntimeError, match="out of memory"):
        segment(scene, Failing((0.2, 0.3, 0.5)), out, tile=64, batch_size=2)
    assert {p: p.read_bytes() for p in out.parent.iterdir()} == before


def test_a_damaged_scene_leaves_nothing(make_scene, make_pixels, convolution, out):
    path = make_scene(make_pixels(600, 400), tiled=True, blockxsize=128, blockysize=128)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(SceneError, match="damaged"):
        segment(open_scene(path), convolution, out)
    assert left_in(out.parent) == []


def test_a_folder_that_cannot_be_made_is_named(scene, convolution, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        segment(scene, convolution, tmp_path / "file" / "map.tif")


@contextmanager
def disk_of(limit):
    """No file may grow beyond ``limit`` bytes, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal_before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signal_before)


@pytest.mark.parametrize("share", [0.05, 0.4, 0.9, 0.999])
def test_a_full_disk_ends_in_a_sentence_and_leaves_nothing(
    make_scene, make_pixels, convolution, out, share
):
    scene = open_scene(make_scene(make_pixels(700, 900)))
    reference = segment(scene, convolution, out.parent.with_name("whole") / "map.tif")
    limit = int(reference.class_map.stat().st_size * share)
    with disk_of(limit), pytest.raises(OutputError, match="free space"):
        segment(scene, convolution, out)
    assert left_in(out.parent) == []


def test_a_disk_too_full_for_the_polygons_leaves_no_map_either(scene, convolution, out):
    with disk_of(60_000), pytest.raises(OutputError, match="free space"):
        segment(scene, convolution, out, polygons=out.with_suffix(".gpkg"))
    assert left_in(out.parent) == []


def test_the_scene_itself_is_never_overwritten(scene, convolution):
    with pytest.raises(OutputError, match="the scene itself"):
        segment(scene, convolution, Path(scene.path))


def test_a_map_must_be_called_tif(scene, convolution, out):
    with pytest.raises(OutputError, match=r"\.tif"):
        segment(scene, convolution, out.with_suffix(".png"))


def test_two_products_cannot_share_a_name(scene, convolution, out):
    with pytest.raises(OutputError, match="both"):
        segment(scene, convolution, out, polygons=out)
