"""The order of pairs: every pair once, few visits open, batches whole."""

from itertools import batched

from hypothesis import given
from hypothesis import strategies as st

from sscl_geo.samplers.order import deal, take_turns

counts = st.integers(1, 12)


@given(visits=st.integers(0, 60), pairs=counts, cells=counts)
def test_every_pair_is_drawn_once_and_in_the_order_of_its_visit(visits, pairs, cells) -> None:
    order = list(take_turns(range(visits), pairs, cells))
    assert sorted(order) == [(v, p) for v in range(visits) for p in range(pairs)]
    for visit in range(visits):
        assert [p for v, p in order if v == visit] == list(range(pairs))


@given(visits=st.integers(1, 60), pairs=counts, cells=counts)
def test_no_more_visits_are_open_than_cells(visits, pairs, cells) -> None:
    order = [v for v, _ in take_turns(range(visits), pairs, cells)]
    first = {v: order.index(v) for v in range(visits)}
    last = {v: len(order) - 1 - order[::-1].index(v) for v in range(visits)}
    for place in range(len(order)):
        assert sum(first[v] <= place <= last[v] for v in range(visits)) <= cells


def test_one_cell_means_one_visit_after_another() -> None:
    assert [v for v, _ in take_turns("ab", 3, 1)] == list("aaabbb")


@given(lengths=st.lists(st.integers(0, 30), min_size=1, max_size=4), batch=counts)
def test_dealing_loses_nothing_and_keeps_the_order_of_each_stream(lengths, batch) -> None:
    streams = [[(s, i) for i in range(n)] for s, n in enumerate(lengths)]
    dealt = list(deal(map(iter, streams), batch))
    for number, stream in enumerate(streams):
        assert [item for item in dealt if item[0] == number] == stream
    assert len(dealt) == sum(lengths)


def test_batches_go_round_the_streams() -> None:
    dealt = deal([iter("aaaa"), iter("bbbb")], 2)
    assert ["".join(batch) for batch in batched(dealt, 2)] == ["aa", "bb", "aa", "bb"]
