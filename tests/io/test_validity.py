"""The share of valid pixels in windows against counting them."""

import numpy as np
import pytest

from sscl_geo.io import validity
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import open_scene
from sscl_geo.io.validity import bands_that_mark, validity_table


def windows(rng: np.random.Generator, count: int, shape: tuple[int, int]) -> np.ndarray:
    height = rng.integers(1, shape[0] + 1, count)
    width = rng.integers(1, shape[1] + 1, count)
    row = rng.integers(0, shape[0] - height + 1)
    col = rng.integers(0, shape[1] - width + 1)
    return np.stack([row, col, height, width])


def counted(mask: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.array([mask[r : r + h, c : c + w].mean() for r, c, h, w in places.T])


@pytest.fixture
def mask() -> np.ndarray:
    rows, cols = np.mgrid[:53, :71]
    return (rows + cols // 2 > 20) & ~((rows > 40) & (cols > 60))


def test_small_scenes_are_counted_exactly(make_scene, mask: np.ndarray) -> None:
    table = validity_table(
        SceneReader(open_scene(make_scene(mask[None].astype(np.uint8), nodata=0)))
    )
    places = windows(np.random.default_rng(0), 500, mask.shape)
    np.testing.assert_allclose(table.valid_share(*places), counted(mask, places), atol=1e-12)


def test_large_scenes_get_a_lower_bound(make_scene, mask: np.ndarray, monkeypatch) -> None:
    monkeypatch.setattr(validity, "_TABLE_ENTRIES", 100)
    monkeypatch.setattr(validity, "_BAND_BYTES", 1000)
    table = validity_table(
        SceneReader(open_scene(make_scene(mask[None].astype(np.uint8), nodata=0)))
    )
    assert table.cell == 7
    places = windows(np.random.default_rng(0), 500, mask.shape)
    assert (table.valid_share(*places) <= counted(mask, places) + 1e-12).all()


def test_windows_away_from_missing_data_are_fully_valid(make_scene, monkeypatch) -> None:
    monkeypatch.setattr(validity, "_TABLE_ENTRIES", 100)
    array = np.ones((1, 60, 60), np.uint8)
    array[0, :6] = 0
    table = validity_table(SceneReader(open_scene(make_scene(array, nodata=0))))
    one = np.array([1])
    assert table.valid_share(one * 12, one * 3, one * 48, one * 57) == 1


def test_a_scene_that_marks_nothing_needs_no_table(make_scene) -> None:
    assert (
        validity_table(SceneReader(open_scene(make_scene(np.zeros((1, 9, 9), np.uint8))))) is None
    )


def test_a_scene_without_missing_data_needs_no_table(make_scene) -> None:
    assert (
        validity_table(SceneReader(open_scene(make_scene(np.ones((1, 9, 9), np.uint8), nodata=0))))
        is None
    )


def test_one_band_is_enough_where_a_mask_speaks_for_all(make_scene):
    values = np.ones((3, 8, 8), np.uint8)
    names = ("red", "green", "blue")
    assert bands_that_mark(open_scene(make_scene(values, descriptions=names))) == ("red",)
    masked = open_scene(make_scene(values, descriptions=names))
    assert bands_that_mark(masked, ["blue", "red"]) == ["blue"]
    with_nodata = open_scene(make_scene(values, nodata=0, descriptions=names))
    assert bands_that_mark(with_nodata) is None
    floats = open_scene(make_scene(values.astype(np.float32), descriptions=names))
    assert bands_that_mark(floats, ["blue", "red"]) == ["blue", "red"]
