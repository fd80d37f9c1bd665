"""Band statistics against numpy over all pixels."""

import numpy as np
import pytest

from sscl_geo.errors import SceneError
from sscl_geo.io import statistics
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.salvage import read_sound
from sscl_geo.io.scene import open_scene
from sscl_geo.io.statistics import PERCENTILES, band_statistics


def test_a_small_scene_is_measured_exactly(make_scene) -> None:
    array = np.random.default_rng(0).normal(1e4, 3, (3, 70, 90)).astype(np.float32)
    array[:, :20] = -1
    got = band_statistics([open_scene(make_scene(array, nodata=-1))])
    valid = array[:, 20:].reshape(3, -1).astype(np.float64)
    np.testing.assert_allclose(got.mean, valid.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(got.std, valid.std(axis=1), rtol=1e-9)
    np.testing.assert_allclose(got.minimum, valid.min(axis=1))
    np.testing.assert_allclose(got.maximum, valid.max(axis=1))
    assert got.valid_share == pytest.approx(50 / 70)
    assert got.pixels == 50 * 90


def test_several_windows_merge_to_the_whole(make_scene) -> None:
    array = np.random.default_rng(0).gamma(2, 50, (2, 700, 1100)).astype(np.float32)
    got = band_statistics([open_scene(make_scene(array))])
    np.testing.assert_allclose(got.mean, array.mean(axis=(1, 2), dtype=np.float64), rtol=1e-9)
    np.testing.assert_allclose(got.std, array.std(axis=(1, 2), dtype=np.float64), rtol=1e-9)


def test_percentiles_of_a_sample_come_close(make_scene) -> None:
    array = np.random.default_rng(0).normal(0, 1, (1, 700, 700)).astype(np.float32)
    got = band_statistics([open_scene(make_scene(array))])
    np.testing.assert_allclose(got.percentiles[0], np.percentile(array, [2, 50, 98]), atol=0.1)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e9 + 64])
def test_a_band_of_one_value_has_no_deviation_at_all(make_scene, value: float) -> None:
    array = np.full((2, 700, 900), value, np.float64)
    array[1, 0, 0] += 100
    got = band_statistics([open_scene(make_scene(array))])
    assert got.std[0] == 0
    assert got.mean[0] == pytest.approx(array[0, 0, 0], rel=1e-7)
    assert got.std[1] > 0


def test_the_draw_of_windows_is_a_function_of_the_seed(make_scene) -> None:
    array = np.random.default_rng(0).normal(0, 1, (1, 1500, 1500)).astype(np.float32)
    scene = open_scene(make_scene(array))
    assert band_statistics([scene], windows=3, seed=4) == band_statistics(
        [scene], windows=3, seed=4
    )
    assert band_statistics([scene], windows=3, seed=4) != band_statistics(
        [scene], windows=3, seed=5
    )


def test_scenes_of_other_sizes_count_by_their_pixels(make_scene) -> None:
    zeros = make_scene(np.zeros((1, 30, 30), np.uint8), "a.tif")
    tens = make_scene(np.full((1, 30, 10), 10, np.uint8), "b.tif")
    got = band_statistics([open_scene(zeros), open_scene(tens)])
    assert got.mean[0] == pytest.approx(2.5)


def test_a_scene_without_valid_pixels_is_refused(make_scene) -> None:
    scene = open_scene(make_scene(np.zeros((1, 9, 9), np.uint8), nodata=0))
    with pytest.raises(SceneError, match="no valid pixel"):
        band_statistics([scene])


@pytest.fixture
def counted(monkeypatch, tmp_path) -> list[int]:
    """Rows of the windows that are read, with a cache folder of the test's own."""
    rows: list[int] = []

    def counting(reader, row, *rest):
        rows.append(row)
        return read_sound(reader, row, *rest)

    monkeypatch.setenv("SSCL_GEO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(statistics, "read_sound", counting)
    return rows


def test_the_next_run_reads_nothing_and_gets_the_same(make_scene, counted) -> None:
    array = np.random.default_rng(0).normal(100, 3, (2, 600, 90)).astype(np.float32)
    scene = open_scene(make_scene(array))
    first = band_statistics([scene])
    assert counted == [0, 512]
    assert band_statistics([scene]) == first
    assert counted == [0, 512]


@pytest.mark.parametrize("options", [{"seed": 1}, {"bands": ["band_2"]}, {"windows": 1}])
def test_other_options_are_measured(make_scene, counted, options: dict) -> None:
    scene = open_scene(make_scene(np.ones((2, 600, 90), np.uint8)))
    band_statistics([scene])
    before = len(counted)
    band_statistics([scene], **options)
    assert len(counted) > before


def test_a_file_that_changed_is_measured_anew(make_scene, counted) -> None:
    assert band_statistics([open_scene(make_scene(np.full((1, 9, 9), 1.0)))]).mean == (1,)
    assert band_statistics([open_scene(make_scene(np.full((1, 9, 9), 22.0)))]).mean == (22,)
    assert len(counted) == 2


def test_a_damaged_note_is_measured_anew(make_scene, counted, tmp_path) -> None:
    scene = open_scene(make_scene(np.ones((1, 9, 9), np.uint8)))
    band_statistics([scene])
    (file,) = (tmp_path / "cache").rglob("*.json")
    file.write_text('{"bands": ["band_1"]}')
    assert band_statistics([scene]).mean == (1,)
    assert len(counted) == 2


def test_percentiles_are_those_of_pixels_not_of_windows(make_scene):
    rng = np.random.default_rng(0)
    large = rng.integers(1, 11, (1, 512, 512)).astype(np.uint16)
    small = [rng.integers(1001, 1011, (1, 64, 64)).astype(np.uint16) for _ in range(20)]
    paths = [make_scene(pixels, f"{i}.tif") for i, pixels in enumerate([large, *small])]
    readers = [SceneReader(open_scene(path)) for path in paths]
    found = band_statistics(readers).percentiles[0]
    every = np.concatenate([pixels.ravel() for pixels in (large, *small)])
    assert found == pytest.approx(np.percentile(every, PERCENTILES), abs=1)
