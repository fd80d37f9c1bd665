"""The index of a pair travels through a data loader."""

import copy
import pickle

import numpy as np
import pytest

from sscl_geo.geometry.pair_index import PairIndex

WINDOWS = np.array([[1, 2, 30, 40], [5, 6, 30, 40]])


@pytest.fixture
def index() -> PairIndex:
    matrices = np.arange(12, dtype=float).reshape(2, 2, 3)
    return PairIndex(
        (slice(0.0, 10.0), slice(5.0, 15.0)), (3, 3), WINDOWS, matrices, keep=5, ends=True
    )


def test_it_is_a_slice_that_torchgeo_understands(index: PairIndex) -> None:
    x, y = index
    assert (x.start, x.stop, y.start, y.stop) == (0, 10, 5, 15)


@pytest.mark.parametrize("clone", [copy.copy, lambda i: pickle.loads(pickle.dumps(i))])  # noqa: S301
def test_copies_keep_scene_window_and_views(index: PairIndex, clone: object) -> None:
    twin = clone(index)
    assert twin == index
    assert twin.scenes == (3, 3)
    assert twin.cells == index.cells
    assert (twin.keep, twin.ends) == (5, True)
    assert twin.windows.tolist() == WINDOWS.tolist()
    assert tuple(twin) == tuple(index)


def test_other_views_make_another_index(index: PairIndex) -> None:
    other = PairIndex(tuple(index), (3, 3), index.windows, index.pixel_to_scene + 1)
    assert other != index


def test_without_a_cell_a_pair_is_one_of_its_own(index: PairIndex) -> None:
    # One more pixel on each side, which interpolation leans on.
    assert index.cells == ((0, 1, 36, 46),) * 2
    windows = np.tile(np.eye(2, 3), (2, 1, 1))
    assert PairIndex(tuple(index), (0, 0), WINDOWS, windows).cells == ((1, 2, 34, 44),) * 2


def test_each_scene_has_a_cell_of_its_own(index: PairIndex) -> None:
    windows = np.tile(np.eye(2, 3), (2, 1, 1))
    assert PairIndex(tuple(index), (0, 1), WINDOWS, windows).cells == (
        (1, 2, 30, 40),
        (5, 6, 30, 40),
    )
