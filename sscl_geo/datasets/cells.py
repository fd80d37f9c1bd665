"""Decoded cells, kept while pairs are cut from them."""

import threading
from collections import OrderedDict
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.geometry.pair_index import Window


class CellPixels(NamedTuple):
    """Pixels that views are cut from.

    Attributes:
        pixels: shape (bands, height, width), in the type of the file; anything where not valid.
        valid: bool of shape (height, width); True where every band has data.
        complete: True if all of them are known to be valid.
    """

    pixels: NDArray[np.generic]
    valid: NDArray[np.bool_]
    complete: bool


@dataclass(eq=False)
class _Cell:
    patch: CellPixels
    memory: NDArray[np.uint8]
    users: int


class DecodedCells:
    """The last few decoded cells, whose memory is used again for the next ones.

    For several threads at once.

    Args:
        scenes: where cells are read from.
    """

    def __init__(self, scenes: SceneDataset) -> None:
        self._scenes = scenes
        self._cells: OrderedDict[tuple[int, Window], _Cell] = OrderedDict()
        self._spare: list[NDArray[np.uint8]] = []
        self._lock = threading.Lock()

    def __contains__(self, cell: tuple[int, Window]) -> bool:
        """True if a cell, (number of its scene, window), is decoded."""
        return cell in self._cells

    @contextmanager
    def open(self, scene: int, window: Window) -> Generator[CellPixels]:
        """A cell's pixels and mask, decoded now if need be, to be used within the block only.

        Raises:
            SceneError: if it cannot be decoded.
        """
        key = (scene, window)
        with self._lock:
            cell = self._cells.get(key)
            if cell is not None:
                cell.users += 1
                self._cells.move_to_end(key)
        if cell is None:
            # Outside the lock: two threads that want one cell at the same time decode it twice.
            cell = self._decode(scene, window)
            with self._lock:
                self._cells[key] = cell
        try:
            yield cell.patch
        finally:
            with self._lock:
                cell.users -= 1

    def trim(self, keep: int, ended: Iterable[tuple[int, Window]] = ()) -> None:
        """Give up cells that have ended, and all but the ``keep`` others that were used last."""
        with self._lock:
            over = [key for key in ended if key in self._cells]
            others = [key for key in self._cells if key not in over]
            for key in over + others[: max(0, len(others) - keep)]:
                if self._cells[key].users == 0:
                    self._spare.append(self._cells.pop(key).memory)
            del self._spare[keep:]

    def _decode(self, scene: int, window: Window) -> _Cell:
        dtype = np.dtype(self._scenes.scenes[scene].dtype)
        shape = (len(self._scenes.bands), *window[2:])
        size = prod(shape) * dtype.itemsize
        with self._lock:
            memory = self._spare.pop() if self._spare else None
        if memory is None or memory.nbytes < size:
            memory = np.empty(size, np.uint8)
        out = memory[:size].view(dtype).reshape(shape)
        pixels, valid = self._scenes.read_raw(scene, *window, out=out)
        return _Cell(CellPixels(pixels, valid, bool(valid.all())), memory, users=1)
