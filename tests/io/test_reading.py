"""Windows and valid masks against rasterio's own."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from sscl_geo.errors import BandError, SceneError
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import open_scene

WINDOWS = [(0, 0, 17, 23), (3, 5, 4, 6), (-4, -3, 10, 10), (12, 20, 9, 9), (16, 22, 1, 1)]


def pixels(dtype: str = "uint16", bands: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(1, 250, (bands, 17, 23)).astype(dtype)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_pixels_are_those_of_rasterios_boundless_read(make_scene, window, dtype: str) -> None:
    row, col, height, width = window
    path = make_scene(pixels(dtype))
    with rasterio.open(path) as source:
        expected = source.read(window=Window(col, row, width, height), boundless=True, fill_value=0)
    patch = SceneReader(open_scene(path)).read(*window)
    np.testing.assert_array_equal(patch.image, expected.astype(np.float32))


def test_a_window_away_from_the_scene_is_all_invalid(make_scene) -> None:
    patch = SceneReader(open_scene(make_scene(pixels()))).read(100, 100, 4, 5)
    assert patch.image.shape == (3, 4, 5)
    assert not patch.valid.any()


def test_pixels_beyond_the_scene_are_invalid(make_scene) -> None:
    patch = SceneReader(open_scene(make_scene(pixels()))).read(-2, -1, 5, 5)
    expected = np.zeros((5, 5), bool)
    expected[2:, 1:] = True
    np.testing.assert_array_equal(patch.valid, expected)


def test_nodata_in_any_band_makes_a_pixel_invalid(make_scene) -> None:
    array = pixels()
    array[0, 2, 3] = array[2, 5, 6] = 0
    patch = SceneReader(open_scene(make_scene(array, nodata=0))).read(0, 0, 17, 23)
    assert np.argwhere(~patch.valid).tolist() == [[2, 3], [5, 6]]
    assert (patch.image[:, 2, 3] == 0).all()


def test_only_the_bands_that_are_read_decide(make_scene) -> None:
    array = pixels()
    array[0, 2, 3] = 0
    scene = open_scene(make_scene(array, nodata=0))
    assert SceneReader(scene, ["band_2", "band_3"]).read(0, 0, 17, 23).valid.all()


@pytest.mark.parametrize("nodata", [np.nan, -3.4028234663852886e38, -9999.0])
def test_float_nodata_and_nan_are_invalid(make_scene, nodata: float) -> None:
    array = pixels("float32")
    array[1, 4, 4] = nodata
    array[1, 6, 6] = np.nan
    array[1, 8, 8] = np.inf
    patch = SceneReader(open_scene(make_scene(array, nodata=nodata))).read(0, 0, 17, 23)
    assert np.argwhere(~patch.valid).tolist() == [[4, 4], [6, 6], [8, 8]]
    assert np.isfinite(patch.image).all()


def test_alpha_zero_is_invalid(make_scene) -> None:
    array = pixels("uint8", 4)
    array[3] = 255
    array[3, :5] = 0
    path = make_scene(array, photometric="RGB", alpha="YES")
    patch = SceneReader(open_scene(path)).read(0, 0, 17, 23)
    assert not patch.valid[:5].any()
    assert patch.valid[5:].all()


def test_a_mask_band_is_obeyed(make_scene) -> None:
    path = make_scene(pixels())
    mask = np.full((17, 23), 255, np.uint8)
    mask[:, 10:] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as target:
        target.write_mask(mask)
    patch = SceneReader(open_scene(path)).read(0, 0, 17, 23)
    np.testing.assert_array_equal(patch.valid, mask > 0)


def test_bands_come_in_the_order_asked_for(make_scene) -> None:
    array = pixels()
    scene = open_scene(make_scene(array, descriptions=("blue", "green", "red")))
    patch = SceneReader(scene, ["red", "blue"]).read(0, 0, 17, 23)
    np.testing.assert_array_equal(patch.image, array[[2, 0]])


def test_an_unknown_band_is_refused_with_the_known_ones(make_scene) -> None:
    scene = open_scene(make_scene(pixels(), descriptions=("blue", "green", "red")))
    with pytest.raises(BandError, match="no band nir; it has blue, green, red"):
        SceneReader(scene, ["nir"])


def test_a_truncated_file_is_named(make_scene) -> None:
    noise = np.random.default_rng(0).integers(0, 60000, (3, 200, 200)).astype(np.uint16)
    path = make_scene(noise, tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    reader = SceneReader(open_scene(path))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 3)
    with pytest.raises(SceneError, match="damaged"):
        reader.read(0, 0, 200, 200)


def test_a_file_that_vanished_is_named(make_scene) -> None:
    path = make_scene(pixels())
    reader = SceneReader(open_scene(path))
    Path(path).unlink()
    with pytest.raises(SceneError, match="moved or deleted"):
        reader.read(0, 0, 2, 2)


def test_a_pickled_reader_carries_no_handle(make_scene) -> None:
    reader = SceneReader(open_scene(make_scene(pixels())))
    before = reader.read(0, 0, 5, 5)
    twin = pickle.loads(pickle.dumps(reader))  # noqa: S301 - made here
    assert twin._handle._dataset is None
    np.testing.assert_array_equal(twin.read(0, 0, 5, 5).image, before.image)


def test_reading_before_a_fork_does_not_disturb_the_child(make_scene) -> None:
    # TorchGeo's handles survive a fork and then return wrong pixels; ours are opened again.
    array = np.random.default_rng(0).integers(0, 60000, (1, 256, 256)).astype(np.uint16)
    reader = SceneReader(open_scene(make_scene(array)))
    reader.read(0, 0, 8, 8)
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            rng = np.random.default_rng(os.getpid())
            for row, col in rng.integers(0, 200, (200, 2)):
                got = reader.read(int(row), int(col), 50, 50).image[0]
                if not np.array_equal(got, array[0, row : row + 50, col : col + 50]):
                    os._exit(1)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]


def test_a_nodata_value_that_the_type_cannot_hold_marks_nothing(make_scene) -> None:
    array = pixels("uint16")
    array[0, 3, 3] = 55537  # what -9999 would wrap around to
    path = make_scene(array)
    scene = replace(open_scene(path), nodata=(-9999.0,) * 3)
    assert SceneReader(scene).read(0, 0, 17, 23).valid.all()


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
@pytest.mark.parametrize("nodata", [-5, 0, 3, 9, 40])
def test_nodata_is_found_wherever_it_lies_among_the_values(make_scene, dtype: str, nodata) -> None:
    """Below them, the least, amid, the greatest, above."""
    pixels = np.random.default_rng(0).integers(0, 10, (2, 20, 30)).astype(dtype)
    nodata = abs(nodata) if dtype == "uint16" else nodata
    with SceneReader(open_scene(make_scene(pixels, nodata=nodata))) as reader:
        valid = reader.read_raw(0, 0, 20, 30).valid
    np.testing.assert_array_equal(valid, (pixels != nodata).all(axis=0))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_one_pixel_that_is_no_number_is_not_valid(make_scene, value: float) -> None:
    pixels = np.ones((2, 20, 30), np.float32)
    pixels[1, 3, 4] = value
    with SceneReader(open_scene(make_scene(pixels))) as reader:
        assert np.argwhere(~reader.read_raw(0, 0, 20, 30).valid).tolist() == [[3, 4]]
