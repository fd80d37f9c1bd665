"""Readers are kept by thread and closed when there are too many."""

import pickle
from concurrent.futures import ThreadPoolExecutor

from sscl_geo.io.reader_pool import ReaderPool


class FakeReader:
    closed = False

    def __init__(self, _scene: int = 0) -> None:
        """As a pool makes it."""

    def close(self) -> None:
        self.closed = True


def test_a_reader_is_made_once_and_the_least_used_is_closed() -> None:
    pool = ReaderPool(lambda _: FakeReader(), limit=2)
    one, two = pool[1], pool[2]
    assert pool[1] is one
    pool[3]
    assert (one.closed, two.closed) == (False, True)
    assert pool[2] is not two


def test_each_thread_has_its_own_reader() -> None:
    pool = ReaderPool(lambda _: FakeReader())
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(lambda: pool[0]).result() is not pool[0]


def test_a_pickled_pool_has_no_reader_open() -> None:
    pool = ReaderPool(FakeReader)
    kept = pool[0]
    copy = pickle.loads(pickle.dumps(pool))  # noqa: S301 - made here
    assert copy[0] is not kept
