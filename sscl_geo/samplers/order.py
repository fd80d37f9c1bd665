"""The order in which the pairs of many visits are read: pure functions of numbers."""

from collections.abc import Iterable, Iterator
from itertools import islice


def take_turns(visits: Iterable[int], pairs: int, cells: int) -> Iterator[tuple[int, int]]:
    """Draw from several visits in turn, so that a batch mixes places far apart.

    Up to ``cells`` visits are open at once, each at another stage: one turn takes one pair of each,
    and as a visit ends the next one opens. What is decoded for a visit is needed for ``pairs``
    turns, so that decoding is spread evenly over the batches.

    Args:
        visits: numbers of the visits.
        pairs: pairs of each visit.
        cells: greatest number of visits that are open at once.

    Yields:
        (number of the visit, number of the pair in it).

    Example:
        >>> from sscl_geo.samplers.order import take_turns
        >>> list(take_turns([5, 6], pairs=2, cells=2))
        [(5, 0), (6, 0), (5, 1), (6, 1)]
        >>> list(take_turns([5, 6, 7], pairs=3, cells=2))
        [(5, 0), (6, 0), (5, 1), (6, 1), (5, 2), (7, 0), (6, 2), (7, 1), (7, 2)]
    """
    waiting = enumerate(visits)
    upcoming = next(waiting, None)
    # Visit and the turn in which it was opened, oldest first; the newest are drawn from first, so
    # that the first batch of an epoch mixes as many as the others.
    current: list[tuple[int, int]] = []
    turn = 0
    while current or upcoming is not None:
        while upcoming is not None and upcoming[0] * pairs < (turn + 1) * cells:
            current.append((upcoming[1], turn))
            upcoming = next(waiting, None)
        yield from ((visit, turn - start) for visit, start in reversed(current))
        turn += 1
        current = [(visit, start) for visit, start in current if turn - start < pairs]


def deal[T](streams: Iterable[Iterator[T]], batch_size: int) -> Iterator[T]:
    """Take a batch from each stream in turn, as a data loader hands batches to its workers.

    Args:
        streams: what each worker is to get; one that ends is left out from then on.
        batch_size: number of things in a batch.
    """
    left = list(streams)
    while left:
        for stream in tuple(left):
            batch = tuple(islice(stream, batch_size))
            yield from batch
            if len(batch) < batch_size:
                left.remove(stream)
