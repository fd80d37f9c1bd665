"""Blending overlapping tiles in a band of rows, in memory that does not grow with the scene."""

import torch
from torch import Tensor

from sscl_geo.maps.tiles import Columns, TilePlan


class BandAccumulator:
    """Adds up weighted tiles and hands out rows of the scene when nothing more is added to them.

    Only the rows of one tile row are kept: ``channels x (tile - 2 margin) x width`` float32 values.
    The weights sum to 1 at every pixel (see :class:`~sscl_geo.maps.axis.TileAxis`), so that the
    sum is the weighted mean and no division is needed. The result depends on the tiles only up to
    the rounding of float32.

    Args:
        plan: the tiles.
        channels: number of values at each pixel of a tile.
        device: where the tiles are; the sums stay there.
        columns: the part of the scene that is computed; all of it if None.

    Example:
        >>> plan = TilePlan((300, 200), tile=64, margin=8, overlap=0.5)
        >>> band = BandAccumulator(plan, channels=1)
        >>> for i in range(len(plan.rows)):
        ...     for j in range(len(plan.cols)):
        ...         band.add(i, j, torch.ones(1, 64, 64))
        ...     rows = band.finish(i)
        >>> bool(torch.allclose(rows, torch.ones(())))
        True
    """

    def __init__(
        self,
        plan: TilePlan,
        channels: int,
        device: torch.device | str = "cpu",
        columns: Columns | None = None,
    ) -> None:
        self.plan = plan
        self.columns = columns or plan.whole
        self._row_weights = [torch.from_numpy(w).to(device)[:, None] for w in plan.rows.weights]
        self._col_weights = [torch.from_numpy(w).to(device) for w in plan.cols.weights]
        height = max(end - begin for begin, end in map(plan.rows.span, range(len(plan.rows))))
        self._sums = torch.zeros((channels, height, self.columns.width), device=device)
        # Rows that hold sums of earlier tile rows, and columns that hold any of this one: beyond
        # them lies what is left of rows that were handed out.
        self._old_rows = 0
        self._reached = 0
        self._to_drop = 0

    def add(self, i: int, j: int, values: Tensor) -> None:
        """Add a tile.

        Args:
            i: tile row; tile rows come in order, each closed by :meth:`finish`.
            j: tile column, from left to right; some may be left out.
            values: float tensor of shape (channels, tile, tile), for example probabilities; what
                lies in the margins or beyond the scene is ignored.
        """
        self._drop()
        top, bottom = self.plan.rows.span(i)
        span_left, span_right = self.plan.cols.span(j)
        begin, end = self.columns.begin, self.columns.end
        left, right = max(span_left, begin), min(span_right, end)
        row, col = top - self.plan.rows.starts[i], left - self.plan.cols.starts[j]
        core = values[:, row : row + bottom - top, col : col + right - left]
        weight = self._row_weights[i] * self._col_weights[j][left - span_left : right - span_left]
        left, right = left - begin, right - begin
        self._clear(left)
        # Where this is the first tile it is written, elsewhere added: half the way to memory.
        old, seen = self._old_rows, max(self._reached - left, 0)
        rows, sums = bottom - top, self._sums[:, : bottom - top, left:right]
        sums[:, :old].addcmul_(core[:, :old], weight[:old])
        sums[:, old:rows, :seen].addcmul_(core[:, old:, :seen], weight[old:, :seen])
        torch.mul(core[:, old:, seen:], weight[old:, seen:], out=sums[:, old:rows, seen:])
        self._reached = right

    def finish(self, i: int) -> Tensor:
        """Close a tile row.

        Args:
            i: the tile row.

        Returns:
            float32 tensor of shape (channels, rows, width of the columns): the blended values of
            the rows ``plan.rows.finished(i)`` of the scene; 0 where no tile was added. It is a view
            that the next call of :meth:`add` or :meth:`finish` overwrites.
        """
        self._drop()
        self._clear(self.columns.width)
        begin, end = self.plan.rows.finished(i)
        self._to_drop = end - begin
        self._old_rows = self.plan.rows.span(i)[1] - end
        return self._sums[:, : end - begin]

    def _clear(self, col: int) -> None:
        """Put 0 between what this tile row has reached and a column."""
        if self._reached < col:
            self._sums[:, self._old_rows :, self._reached : col] = 0
            self._reached = col

    def _drop(self) -> None:
        """Move the unfinished rows to the top of the band."""
        if self._to_drop:
            kept = self._sums[:, self._to_drop : self._to_drop + self._old_rows]
            if self._old_rows > self._to_drop:  # they are moved onto themselves
                kept = kept.clone()
            self._sums[:, : self._old_rows] = kept
            self._reached = 0
            self._to_drop = 0
