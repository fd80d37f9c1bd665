"""Memory of batches, used again when nobody holds the batch any more."""

import sys
from typing import Final

import numpy as np
from numpy.typing import NDArray

_KEPT: Final = 4
"""Batches in flight at once in one process: one in use, one in preparation, and some to spare."""
_HELD_BY_US: Final = 3
"""References to an array that is free: the list, the loop and the call that counts them."""


class BatchMemory:
    """Gives arrays for batches, the same ones again as soon as they are free.

    The system clears new memory before it hands it out, which takes as long as filling it with
    pixels. An array is free when nothing refers to it: neither a tensor made from it nor any part
    of one, since each of them holds a reference.
    """

    def __init__(self) -> None:
        self._arrays: list[NDArray[np.uint8]] = []

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
        """An array with anything in it."""
        size = int(np.prod(shape)) * dtype.itemsize
        for memory in self._arrays:
            if sys.getrefcount(memory) == _HELD_BY_US and size <= memory.nbytes <= 2 * size:
                return memory[:size].view(dtype).reshape(shape)
        memory = np.empty(size, np.uint8)
        self._arrays = [memory, *self._arrays[: _KEPT - 1]]
        return memory[:size].view(dtype).reshape(shape)
