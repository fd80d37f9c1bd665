"""The blend on a CPU, in one pass over each tile."""

from collections.abc import Iterator
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor

from sscl_geo.maps import kernels
from sscl_geo.maps.blending import Block
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
        step = min(self._step, height)
        dtype = np.uint8 if channels <= 256 else np.uint16
        self._index = np.empty((step, width) if index_only else (0, 0), dtype)
        self._sums = np.empty((0, 0, 0) if index_only else (channels, step, width), np.float32)
        carried = plan.rows.carried, plan.cols.carried
        self._beside = np.zeros((height, channels, carried[1] + _APART), np.float32)
        self._below = np.zeros((carried[0], channels, self.columns.width + _APART), np.float32)
        self._scratch = np.empty((channels, 2, kernels.PIXELS), np.float32)
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
        for begin in range(0, place.height, self._step):
            end = min(begin + self._step, place.height)
            kernels.blend_rows(
                values.contiguous().numpy(),
                place.corner,
                self._activation,
                self.plan.rows.weights[i],
                col_weights,
                (begin, end),
                place.left,
                place.seen,
                place.ready,
                self._beside,
                self._below,
                self._sums,
                self._index,
                self._scratch,
                self._memory,
                self._numbers,
            )
            split = min(max(done - begin, 0), end - begin)
            if split and ready:
                yield Block(begin, place.left, torch.from_numpy(found[:, :split, :ready]))
        self._last = i, j
