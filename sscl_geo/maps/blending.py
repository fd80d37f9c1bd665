"""Blending overlapping tiles in a band of rows, in memory that does not grow with the scene."""

import torch
from torch import Tensor

from sscl_geo.maps.tiles import TilePlan


class BandAccumulator:
    """Adds up weighted tiles and hands out rows of the scene when nothing more is added to them.

    Only the rows of one tile row are kept: ``classes x (tile - 2 margin) x width`` float32 values.
    The weights sum to 1 at every pixel (see :class:`~sscl_geo.maps.axis.TileAxis`), so that the
    sum is the weighted mean and no division is needed. The result depends on the tiles only up to
    the rounding of float32.

    Args:
        plan: the tiles.
        classes: number of values at each pixel of a tile.
        device: where the tiles are; the sums stay there.

    Example:
        >>> plan = TilePlan((300, 200), tile=64, margin=8, overlap=0.5)
        >>> band = BandAccumulator(plan, classes=1)
        >>> for i in range(len(plan.rows)):
        ...     for j in range(len(plan.cols)):
        ...         band.add(i, j, torch.ones(1, 64, 64))
        ...     rows = band.finish(i)
        >>> bool(torch.allclose(rows, torch.ones(())))
        True
    """

    def __init__(self, plan: TilePlan, classes: int, device: torch.device | str = "cpu") -> None:
        self.plan = plan
        self._row_weights = [torch.from_numpy(w).to(device)[:, None] for w in plan.rows.weights]
        self._col_weights = [torch.from_numpy(w).to(device) for w in plan.cols.weights]
        height = max(end - begin for begin, end in map(plan.rows.span, range(len(plan.rows))))
        self._sums = torch.zeros((classes, height, plan.shape[1]), device=device)
        self._to_drop = 0

    def add(self, i: int, j: int, values: Tensor) -> None:
        """Add a tile.

        Args:
            i: tile row; tile rows come in order, each closed by :meth:`finish`.
            j: tile column, in any order.
            values: float tensor of shape (classes, tile, tile), for example probabilities; what
                lies in the margins or beyond the scene is ignored.
        """
        self._drop()
        top, bottom = self.plan.rows.span(i)
        left, right = self.plan.cols.span(j)
        row, col = top - self.plan.rows.starts[i], left - self.plan.cols.starts[j]
        core = values[:, row : row + bottom - top, col : col + right - left]
        weight = self._row_weights[i] * self._col_weights[j]
        self._sums[:, : bottom - top, left:right].addcmul_(core, weight)

    def finish(self, i: int) -> Tensor:
        """Close a tile row.

        Args:
            i: the tile row.

        Returns:
            float32 tensor of shape (classes, rows, width): the blended values of the rows
            ``plan.rows.finished(i)`` of the scene; 0 where no tile was added. It is a view that
            the next call of :meth:`add` or :meth:`finish` overwrites.
        """
        self._drop()
        begin, end = self.plan.rows.finished(i)
        self._to_drop = end - begin
        return self._sums[:, : end - begin]

    def _drop(self) -> None:
        """Move the unfinished rows to the top of the band."""
        if self._to_drop:
            kept = self._sums.shape[1] - self._to_drop
            self._sums[:, :kept] = self._sums[:, self._to_drop :].clone()
            self._sums[:, kept:] = 0
            self._to_drop = 0
