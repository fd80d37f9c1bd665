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
    return PairIndex((slice(0.0, 10.0), slice(5.0, 15.0)), (3, 3), WINDOWS, matrices, 5)


def test_it_is_a_slice_that_torchgeo_understands(index: PairIndex) -> None:
    x, y = index
    assert (x.start, x.stop, y.start, y.stop) == (0, 10, 5, 15)


@pytest.mark.parametrize("clone", [copy.copy, lambda i: pickle.loads(pickle.dumps(i))])  # noqa: S301
def test_copies_keep_scene_window_and_views(index: PairIndex, clone: object) -> None:
    twin = clone(index)
    assert twin == index
    assert twin.scenes == (3, 3)
    assert twin.visit == 5
    assert twin.windows.tolist() == WINDOWS.tolist()
    assert tuple(twin) == tuple(index)


def test_other_views_make_another_index(index: PairIndex) -> None:
    other = PairIndex(tuple(index), (3, 3), index.windows, index.pixel_to_scene + 1)
    assert other != index
