"""The blend on a CPU, in one pass over each tile."""

from collections.abc import Iterator
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor

from sscl_geo.errors import OutputError
from sscl_geo.maps import kernels
from sscl_geo.maps.blending import Block
from sscl_geo.maps.compiled_normalizing import normalize_tile
from sscl_geo.maps.placement import Placement
from sscl_geo.maps.tiles import Columns, TilePlan

_VALUES_AT_ONCE: Final = 2**17
"""Values that are handed out at once, so that they stay in the processor's cache."""

_APART: Final = 16
"""Columns that nobody uses, so that rows of one pixel's values do not share lines of the cache."""

_CODES: Final = {"softmax": kernels.SOFTMAX, "sigmoid": kernels.SIGMOID, None: 0}


class CompiledBlender:
    """What :class:`~sscl_geo.maps.blending.TileBlender` does, for tiles in the host's memory.

    Args:
        plan: the tiles.
        channels: number of values at each pixel of a tile.
        columns: the part of the scene that is computed; all of it if None.
        activation: what is averaged of a tile's values; they themselves if None.
        index_only: hand out the index of the largest blended value in place of the values, the
            first of equals: uint8 of shape (1, rows, columns), or uint16 where there are more than
            256. Pixels that one tile sees are not activated then.
    """

    def __init__(
        self,
        plan: TilePlan,
        channels: int,
        columns: Columns | None = None,
        activation: Literal["softmax", "sigmoid"] | None = None,
        *,
        index_only: bool = False,
    ) -> None:
        self.plan = plan
        self.columns = columns or plan.whole
        self._activation = _CODES[activation]
        height, width = (max(map(len, axis.weights)) for axis in (plan.rows, plan.cols))
        self._step = height if index_only else max(1, _VALUES_AT_ONCE // (channels * width))
        self._shape = min(self._step, height), width
        dtype = np.uint8 if channels <= 256 else np.uint16
        self._index = np.empty(self._shape if index_only else (0, 0), dtype)
        cols = plan.cols
        ends = [cols.finished(j)[1] - self.columns.begin for j in range(len(cols))]
        inside = [end for end in ends if 0 < end < self.columns.width]
        self._edges = np.array([0, *inside, self.columns.width])
        self._carried = plan.rows.carried, cols.carried + _APART
        sizes = (
            (2 * channels + 1) * kernels.PIXELS,
            height * channels * self._carried[1],
            self._carried[0] * channels * self.columns.width,
            0 if index_only else channels * self._shape[0] * width,
        )
        self._store = np.zeros(sum(sizes), np.float32)
        self._places = np.cumsum((0, *sizes)).tolist()[1:4]
        self._sums = self._store[self._places[2] :].reshape(-1, *self._shape)
        self._memory = np.empty((4, kernels.PIXELS), np.float32)
        self._numbers = np.empty((2, kernels.PIXELS), np.int32)
        self._last = -1, -1

    def add(self, i: int, j: int, values: Tensor) -> Iterator[Block]:
        """Add a tile, and yield what it finishes.

        Args:
            i: tile row; tile rows come from top to bottom.
            j: tile column, from left to right.
            values: float32 tensor of shape (channels, tile, tile); what lies in the margins or
                beyond the scene is ignored.

        Yields:
            what :meth:`~sscl_geo.maps.blending.TileBlender.add` does, or indexes.
        """
        place = Placement.of(self.plan, self.columns, i, j, follows=self._last == (i, j - 1))
        col_weights = self.plan.cols.weights[j][place.skipped : place.skipped + place.width]
        found = self._index[None] if self._index.size else self._sums
        done, ready = place.ready
        scores = values.contiguous().view(-1).numpy()
        channels, rows, cols = values.shape
        beside, below, sums = self._places
        for begin in range(0, place.height, self._step):
            end = min(begin + self._step, place.height)
            kernels.blend_rows(
                scores,
                (channels, rows, cols),
                place.corner,
                self._activation,
                self.plan.rows.weights[i],
                col_weights,
                (begin, end),
                place.left,
                place.seen,
                place.ready,
                self._store,
                (beside, self._carried[1]),
                (below, self._carried[0]),
                self._edges,
                sums,
                self._index.reshape(-1),
                self._shape,
                self._memory,
                self._numbers,
            )
            split = min(max(done - begin, 0), end - begin)
            if split and ready:
                yield Block(begin, place.left, torch.from_numpy(found[:, :split, :ready]))
        self._last = i, j


def load_machine_code(channels: int, dtype: str) -> None:
    """Compile what a map needs, or load what was compiled, before its memory is planned.

    Args:
        channels: values of the network at each pixel.
        dtype: type of the scene's pixels.

    Raises:
        OutputError: if what is compiled cannot be kept, for example because the disk is full.
    """
    valid = np.ones((1, 1), np.bool_)
    image = np.empty((1, 1, 1), np.float32)
    blender = CompiledBlender(TilePlan((1, 1), 1, 0, 0), channels, activation="softmax")
    try:
        normalize_tile(np.zeros((1, 1, 1), dtype), slice(1), slice(1), valid, ((0,), (1,)), image)
        for block in blender.add(0, 0, torch.zeros(channels, 1, 1)):
            _ = block
    except OSError as error:
        raise OutputError(
            f"Cannot keep what was compiled for large scenes: {error.strerror or error}; free "
            "space beside the package and in your cache folder, or name another folder in the "
            "environment variable NUMBA_CACHE_DIR."
        ) from error
