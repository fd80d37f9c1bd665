"""Threads that read, and that no forked process inherits."""

import os
import weakref
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial


class ReadingThreads:
    """Calls a function for several things at once, in threads that end before a fork.

    A data loader forks its workers. What another thread holds at that moment, a lock of GDAL or
    of the memory allocator, stays locked in the worker for good, so no thread of ours is there
    when it happens; the next call starts new ones.

    To be used from one thread.

    Example:
        >>> from sscl_geo.datasets.reading_threads import ReadingThreads
        >>> list(ReadingThreads().map(abs, [-1, 2, -3], threads=2))
        [1, 2, 3]
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        if hasattr(os, "register_at_fork"):
            # It cannot be taken back, so it must not keep this object alive.
            this: weakref.ref[ReadingThreads] = weakref.ref(self)
            os.register_at_fork(before=partial(_end, this))

    def map[T, R](
        self, function: Callable[[T], R], things: Collection[T], threads: int
    ) -> Iterable[R]:
        """Results in the order of the things; without threads if there are few of either.

        Args:
            function: what to call.
            things: what to call it with.
            threads: greatest number of threads; that of the first call that needed some stays.
        """
        if min(threads, len(things)) < 2:
            return map(function, things)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(threads, thread_name_prefix="read")
        return self._pool.map(function, things)

    def end(self) -> None:
        """Wait for the threads to end."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def _end(reference: weakref.ref[ReadingThreads]) -> None:
    threads = reference()
    if threads is not None:
        threads.end()
