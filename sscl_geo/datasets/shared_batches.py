"""Batches that worker processes hand over in memory that is used again."""

import weakref
from collections.abc import Mapping
from math import prod
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torchgeo.datasets.utils import Sample

from sscl_geo.compat import empty_shared

type Layout = Mapping[str, tuple[tuple[int, ...], np.dtype[np.generic]]]
"""Shape and type of tensors by name, in their order in memory: large types first."""

_KEPT: Final = 4
"""Batches of a worker in flight: two that the loader fetches ahead, one being read, one in use."""


class SharedBatch(dict[str, Any]):
    """A batch whose largest tensors share one block of memory with another process.

    In the process that receives it, it is a plain dictionary.

    Args:
        block: uint8, shared; its last byte is 1 while the receiver uses the batch.
        layout: the tensors in it.
    """

    def __init__(self, block: Tensor, layout: Layout) -> None:
        super().__init__(_tensors(block.numpy(), layout))
        self.block = block
        self.layout = layout

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to another process: the block by reference, all else by value.

        Small tensors too: each that went by reference would be a file handed over a socket.
        """
        others = {
            name: value.numpy() if isinstance(value, Tensor) else value
            for name, value in self.items()
            if name not in self.layout
        }
        return _receive, (self.block, self.layout, others)


class SharedBatches:
    """Memory for the batches of one worker process.

    New shared memory comes in small pages, which the system clears and takes back one by one; that
    costs as much as decoding. So a block is used again once the process that received its batch has
    let go of it, which that process says with the block's last byte. What never comes back is never
    used again.
    """

    def __init__(self) -> None:
        self._blocks: list[Tensor] = []

    def empty(self, layout: Layout) -> SharedBatch:
        """A batch with anything in it."""
        size = 1 + sum(prod(shape) * dtype.itemsize for shape, dtype in layout.values())
        free = [block for block in self._blocks if not block[-1]]
        fitting = [block for block in free if size <= len(block) <= 2 * size]
        if fitting:
            block = fitting[0]
        else:
            block = empty_shared((size,), torch.uint8)
            kept = [other for other in self._blocks if not free or other is not free[0]]
            self._blocks = [*kept, block] if len(kept) < _KEPT else kept
        block[-1] = 1
        return SharedBatch(block, layout)


def _receive(block: Tensor, layout: Layout, others: Sample) -> Sample:
    # Every tensor holds on to this array, and it to the block.
    memory = block.numpy()
    weakref.finalize(memory, block[-1:].zero_).atexit = False
    small = {
        name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in others.items()
    }
    return {**_tensors(memory, layout), **small}


def _tensors(memory: np.ndarray[Any, np.dtype[np.uint8]], layout: Layout) -> Sample:
    tensors: Sample = {}
    start = 0
    for name, (shape, dtype) in layout.items():
        stop = start + prod(shape) * dtype.itemsize
        tensors[name] = torch.from_numpy(memory[start:stop].view(dtype).reshape(shape))
        start = stop
    return tensors
