"""Blending overlapping tiles one by one, in memory that does not grow with the scene."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sscl_geo.maps.layers import most_probable
from sscl_geo.maps.placement import Placement
from sscl_geo.maps.tiles import Columns, TilePlan

_VALUES_AT_ONCE: Final = 2**18
"""Values that are blended at once on the host, so that they stay in the processor's cache."""


class Block(NamedTuple):
    """Pixels to which nothing more is added.

    Attributes:
        row: first row, counted from that of the tile row.
        col: first column, counted from that of the columns that are computed.
        values: float32 of shape (channels, rows, columns), or indexes of shape (1, rows, columns).
    """

    row: int
    col: int
    values: Tensor


class TileBlender:
    """Adds up weighted tiles and hands out pixels when nothing more is added to them.

    A tile is worked on some rows at a time, and what it finishes is handed out at once: on a CPU it
    is the way to memory and back that takes most of the time. Only what its neighbours will add to
    is kept: some columns for the tile to the right, and some rows, as wide as the scene, for the
    next tile row.

    The weights sum to 1 at every pixel (see :class:`~sscl_geo.maps.axis.TileAxis`), so that the
    sum is the weighted mean and no division is needed. The result depends on the tiles only up to
    the rounding of float32.

    Args:
        plan: the tiles.
        channels: number of values at each pixel of a tile.
        device: where the tiles are; the sums stay there.
        columns: the part of the scene that is computed; all of it if None.
        activate: makes of a tile's values (channels, rows, columns) those that are averaged, pixel
            by pixel and in memory of their own, for example a softmax; the values themselves if
            None.
        index_only: hand out the index of the largest blended value in place of the values, see
            :func:`~sscl_geo.maps.layers.most_probable`, of shape (1, rows, columns).

    Example:
        >>> plan = TilePlan((300, 200), tile=64, margin=8, overlap=0.5)
        >>> blender = TileBlender(plan, channels=1)
        >>> for i in range(len(plan.rows)):
        ...     for j in range(len(plan.cols)):
        ...         for block in blender.add(i, j, torch.ones(1, 64, 64)):
        ...             assert torch.allclose(block.values, torch.ones(()))
        >>> block.col + block.values.shape[2]
        200
    """

    def __init__(
        self,
        plan: TilePlan,
        channels: int,
        device: torch.device | str = "cpu",
        columns: Columns | None = None,
        activate: Callable[[Tensor], Tensor] | None = None,
        *,
        index_only: bool = False,
    ) -> None:
        self.plan = plan
        self.columns = columns or plan.whole
        self._activate = activate
        self._index_only = index_only
        self._row_weights = [torch.from_numpy(w).to(device)[:, None] for w in plan.rows.weights]
        self._col_weights = [torch.from_numpy(w).to(device) for w in plan.cols.weights]
        height, width = (max(map(len, axis.weights)) for axis in (plan.rows, plan.cols))
        on_host = torch.device(device).type == "cpu"
        self._step = max(1, _VALUES_AT_ONCE // (channels * width)) if on_host else height
        step = min(self._step, height)
        self._weight = torch.empty((step, width), device=device)
        self._sums = torch.empty((channels, step, width), device=device)
        self._beside = torch.zeros((channels, height, plan.cols.carried), device=device)
        shape = channels, plan.rows.carried, self.columns.width
        self._below = torch.zeros(shape, device=device)
        self._last = -1, -1

    def add(self, i: int, j: int, values: Tensor) -> Iterator[Block]:
        """Add a tile, and yield what it finishes.

        Tiles may be left out where nobody wants a value: on all of what such a tile adds to, the
        values that others finish mean nothing.

        Args:
            i: tile row; tile rows come from top to bottom.
            j: tile column, from left to right.
            values: float tensor of shape (channels, tile, tile), for example probabilities; what
                lies in the margins or beyond the scene is ignored.

        Yields:
            blended values, from top to bottom: together the rows ``plan.rows.finished(i)``, and of
            the columns ``plan.cols.finished(j)`` those that are computed. Each is a view that the
            next overwrites. The tile is added when all are taken.
        """
        place = Placement.of(self.plan, self.columns, i, j, follows=self._last == (i, j - 1))
        (row, col), height, width, left = place.corner, place.height, place.width, place.left
        core = values[:, row : row + height, col : col + width]
        col_weights = self._col_weights[j][place.skipped : place.skipped + width]
        (old, seen), (done, ready) = place.seen, place.ready
        for begin in range(0, height, self._step):
            end = min(begin + self._step, height)
            here = np.s_[:, : end - begin, :width]
            weight = torch.mul(
                self._row_weights[i][begin:end], col_weights, out=self._weight[here[1:]]
            )
            if self._activate is None:
                sums = torch.mul(core[:, begin:end], weight, out=self._sums[here])
            else:  # makes values of its own
                sums = self._activate(core[:, begin:end]).mul_(weight)
            sums[:, :, :seen].add_(self._beside[:, begin:end, :seen])
            above = min(max(old - begin, 0), end - begin)
            earlier = self._below[:, begin : begin + above, left + seen : left + width]
            sums[:, :above, seen:].add_(earlier)
            self._beside[:, begin:end, : width - ready] = sums[:, :, ready:]
            split = min(max(done - begin, 0), end - begin)
            if split < end - begin:
                kept = self._below[:, begin + split - done : end - done, left : left + ready]
                kept[:] = sums[:, split:, :ready]
            if split and ready:
                finished = sums[:, :split, :ready]
                if self._index_only:
                    finished = most_probable(finished)[None]
                yield Block(begin, left, finished)
        self._last = i, j
