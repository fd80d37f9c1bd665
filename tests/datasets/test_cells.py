"""Decoded cells: read once, never overwritten while in use."""

import numpy as np
import pytest

from sscl_geo import SceneDataset
from sscl_geo.datasets.cells import DecodedCells


@pytest.fixture
def scenes(make_scene) -> SceneDataset:
    return SceneDataset(make_scene(np.arange(2 * 40 * 50, dtype=np.uint16).reshape(2, 40, 50)))


def expected(scenes: SceneDataset, window: tuple[int, int, int, int]) -> np.ndarray:
    return scenes.read_raw(0, *window).pixels


def test_a_cell_that_is_kept_is_not_read_again(scenes, monkeypatch) -> None:
    cells = DecodedCells(scenes)
    with cells.open(0, (0, 0, 8, 8)):
        pass
    cells.trim(1)
    monkeypatch.setattr(SceneDataset, "read_raw", None)
    with cells.open(0, (0, 0, 8, 8)) as patch:
        assert patch.pixels.shape == (2, 8, 8)


def test_the_cell_that_was_used_last_is_kept(scenes, monkeypatch) -> None:
    cells = DecodedCells(scenes)
    for window in ((0, 0, 8, 8), (8, 8, 8, 8), (0, 0, 8, 8)):
        with cells.open(0, window):
            pass
    cells.trim(1)
    monkeypatch.setattr(SceneDataset, "read_raw", None)
    with cells.open(0, (0, 0, 8, 8)):
        pass
    with pytest.raises(TypeError), cells.open(0, (8, 8, 8, 8)):
        pass


def test_a_cell_that_has_ended_makes_room_for_older_ones(scenes, monkeypatch) -> None:
    cells = DecodedCells(scenes)
    for window in ((0, 0, 8, 8), (8, 8, 8, 8)):
        with cells.open(0, window):
            pass
    cells.trim(1, ended=[(0, (8, 8, 8, 8)), (0, (1, 2, 3, 4))])
    monkeypatch.setattr(SceneDataset, "read_raw", None)
    with cells.open(0, (0, 0, 8, 8)):
        pass


def test_memory_is_used_again_but_never_under_a_reader(scenes) -> None:
    cells = DecodedCells(scenes)
    with cells.open(0, (0, 0, 16, 16)) as one:
        kept = one.pixels
        cells.trim(0)  # in use: stays
        with cells.open(0, (4, 4, 10, 12)) as two:
            assert not np.shares_memory(kept, two.pixels)
        np.testing.assert_array_equal(kept, expected(scenes, (0, 0, 16, 16)))
    cells.trim(1)
    with cells.open(0, (20, 20, 16, 16)) as three:
        assert np.shares_memory(kept, three.pixels) or np.shares_memory(two.pixels, three.pixels)
        np.testing.assert_array_equal(three.pixels, expected(scenes, (20, 20, 16, 16)))


@pytest.mark.parametrize("window", [(-3, -2, 20, 20), (30, 40, 20, 20), (90, 90, 4, 4)])
def test_cells_may_reach_beyond_their_scene(scenes, window) -> None:
    with DecodedCells(scenes).open(0, window) as patch:
        wanted = scenes.read_raw(0, *window)
        np.testing.assert_array_equal(patch.valid, wanted.valid)
        np.testing.assert_array_equal(patch.pixels, wanted.pixels)
