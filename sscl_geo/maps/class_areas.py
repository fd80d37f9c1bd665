"""What each class of a map covers, in pixels and hectares."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.maps.areas import GroundArea

_EVEN: Final = 5e-5
"""How much, relatively, the area of a pixel may differ from what is taken for it."""

_SMALL: Final = 2**14
"""Pixels of a cell in which their areas may be interpolated.

Each then counts by itself, which takes longer, but not as long as many smaller cells would.
"""

_FEW: Final = 2**10
"""Pixels of a cell that is not cut any further, but each pixel's area computed."""

_AT_ONCE: Final = 2**17
"""Pixels that are counted at once, so that they stay in the processor's cache."""


class ClassAreas:
    """Counts pixels and hectares of each class while a map goes by row by row.

    Args:
        geobox: the pixel grid.
        values: how many pixel values there are; they are 0 to ``values - 1``.

    Attributes:
        pixels: number of pixels of each value, int64.
        hectares: ground area of each value, float64; NaN if not known.
    """

    def __init__(self, geobox: GeoBox, values: int = 256) -> None:
        self._ground = GroundArea(geobox)
        self._row = 0
        self._lefts = np.zeros(1, np.int64)
        self.pixels = np.zeros(values, dtype=np.int64)
        self.hectares = np.full(values, 0.0 if self._ground.is_known else np.nan)

    def add(self, classes: NDArray[np.unsignedinteger]) -> None:
        """Count the pixels of the next rows.

        Args:
            classes: uint8 or uint16 of shape (rows, width).
        """
        height, width = classes.shape
        # The columns at which the rows above were cut, which are mostly the right ones here too.
        lefts = self._lefts
        cells = np.zeros((len(lefts), 4), np.int64)
        cells[:] = self._row, 0, height, 0
        cells[:, 1], cells[:, 3] = lefts, np.diff(lefts, append=width)
        cut = set(lefts.tolist())
        for row, col, rows, cols, area in _even_cells(self._ground, cells):
            top = row - self._row
            part = classes[top : top + rows, col : col + cols]
            counts = _counts(part, len(self.pixels))
            self.pixels += counts
            if area.size > 1:
                self.hectares += np.bincount(part.ravel(), area.ravel(), len(self.pixels))
            else:
                self.hectares += counts * area
            cut.add(col)
        self._lefts = np.array(sorted(cut))
        self._row += height


def _even_cells(
    ground: GroundArea, cells: NDArray[np.int64]
) -> Iterator[tuple[int, int, int, int, NDArray[np.float64]]]:
    """Cut cells of a grid until the area of each pixel is known from few.

    Args:
        ground: tells the area.
        cells: first row, first column, rows and columns of each, shape (cells, 4).

    Yields:
        first row, first column, rows, columns, and hectares: of all pixels alike, or of each in an
        array (rows, columns).
    """
    side = np.linspace(0, 1, 5)
    while len(cells):
        row, col, rows, cols = cells.T[..., None, None]
        at = row + 0.5 + (rows - 1) * side[:, None], col + 0.5 + (cols - 1) * side
        area = ground.pixel_hectares(*at)
        size = cells[:, 2] * cells[:, 3]
        with np.errstate(invalid="ignore"):  # not finite where there is no ground
            along_rows, along_cols = (np.ptp(area, axis).max(axis=1) for axis in (1, 2))
            between = np.abs(area - _bilinear(area[:, ::4, ::4], 5, 5)).max(axis=(1, 2))
            tolerance = _EVEN * area.mean(axis=(1, 2))
            is_even = np.maximum(along_rows, along_cols) <= tolerance
            is_linear = (between <= tolerance) & (size <= _SMALL)
        nowhere = ~np.isfinite(area).any(axis=(1, 2))
        done = is_even | is_linear | nowhere | (size <= _FEW)
        for n in np.flatnonzero(done).tolist():
            cell = cells[n].tolist()
            if is_even[n] or nowhere[n]:
                yield *cell, np.nan_to_num(area[n].mean(), posinf=0)
            elif is_linear[n]:
                yield *cell, _bilinear(area[n, ::4, ::4], *cell[2:])
            else:
                each = np.mgrid[: cell[2], : cell[3]] + np.array(cell[:2])[:, None, None] + 0.5
                yield *cell, np.nan_to_num(ground.pixel_hectares(*each), posinf=0)
        # Across the direction in which pixels differ more, or the longer one where that is unknown.
        longer = np.where(
            along_rows == along_cols, cells[:, 2] >= cells[:, 3], along_rows > along_cols
        )
        cut_rows = (cells[:, 3] == 1) | ((cells[:, 2] > 1) & longer)
        cells = np.concatenate(
            [_cut(cells, 2, ~done & cut_rows), _cut(cells, 3, ~done & ~cut_rows)]
        )


def _bilinear(corners: NDArray[np.float64], rows: int, cols: int) -> NDArray[np.float64]:
    """Values (..., rows, columns) between those of the corners (..., 2, 2)."""
    down, right = np.linspace(0, 1, rows)[:, None], np.linspace(0, 1, cols)
    left, far = corners[..., :1], corners[..., 1:]
    sides = [at[..., :1, :] * (1 - down) + at[..., 1:, :] * down for at in (left, far)]
    return sides[0] * (1 - right) + sides[1] * right


def _cut(cells: NDArray[np.int64], axis: int, which: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Halves of some cells (row, column, rows, columns)."""
    first, second = cells[which], cells[which]
    first[:, axis] //= 2
    second[:, axis] -= first[:, axis]
    second[:, axis - 2] += first[:, axis]
    return np.concatenate([first, second])


def _counts(classes: NDArray[np.unsignedinteger], values: int) -> NDArray[np.int64]:
    """How often each value occurs; PyTorch counts bytes four times as fast as NumPy."""
    counts = np.zeros(values, np.int64)
    rows = max(1, _AT_ONCE // classes.shape[1])
    for top in range(0, len(classes), rows):
        part = classes[top : top + rows].flatten()
        if part.dtype == np.uint8:
            counts += torch.bincount(torch.from_numpy(part), minlength=values).numpy()
        else:
            counts += np.bincount(part, minlength=values)
    return counts
