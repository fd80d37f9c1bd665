import threading

import pytest

from sscl_geo.maps.prefetch import prefetch


def test_items_come_in_order_and_complete():
    assert list(prefetch(iter(range(100)), depth=3)) == list(range(100))


def test_none_is_an_item_like_others():
    assert list(prefetch(iter([None, 1]))) == [None, 1]


def test_an_error_is_raised_where_its_item_would_have_been():
    def items():
        yield 1
        raise OSError("gone")

    ahead = prefetch(items())
    assert next(ahead) == 1
    with pytest.raises(OSError, match="gone"):
        next(ahead)


def test_items_are_made_by_one_other_thread_at_most_depth_ahead():
    made, threads = [], set()

    def items():
        for i in range(10):
            threads.add(threading.get_ident())
            made.append(i)
            yield i

    ahead = prefetch(items(), depth=2)
    next(ahead)
    ahead.close()
    assert len(made) <= 3
    assert len(threads) == 1
    assert threading.get_ident() not in threads
