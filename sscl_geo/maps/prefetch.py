"""Producing items in a thread while the caller works on earlier ones."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

_END: Final = object()


def prefetch[T](items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """Yield what an iterator yields, produced ahead in a thread of its own.

    The iterator is advanced by one thread only, so it may hold a file handle. An error it raises is
    raised here, in the caller, in place of the item it stood for.

    Args:
        items: what to run ahead of; NumPy, PyTorch and GDAL release the interpreter while they
            work, so reading and inference run side by side.
        depth: largest number of finished items that wait; bounds the memory.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as pool:
        waiting = deque(pool.submit(next, items, _END) for _ in range(depth))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(pool.submit(next, items, _END))
            yield item  # ty: ignore[invalid-yield]
