"""From rows of pixels to rows of cells."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

type _Rows = Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]


def cell_rows(rows: _Rows, cell: int) -> _Rows:
    """Average rows of pixels over square cells, whatever number of rows comes at once.

    Args:
        rows: values (channels, rows, width) and valid masks (rows, width), from top to bottom.
        cell: side of a cell in pixels; the last cells of an axis may be cut off.

    Yields:
        the same for cells: means over valid pixels, and whether there are any.
    """
    kept: tuple[NDArray[np.float32], NDArray[np.bool_]] | None = None
    for part in rows:
        if kept is None:
            values, valid = part
        else:
            values = np.concatenate([kept[0], part[0]], axis=1)
            valid = np.concatenate([kept[1], part[1]])
        whole = len(valid) // cell * cell
        if whole:
            yield _means(values[:, :whole], valid[:whole], cell)
        # A copy: the engine takes the memory of its rows back.
        kept = values[:, whole:].copy(), valid[whole:].copy()
    if kept is not None and len(kept[1]):
        yield _means(*kept, cell)


def _means(
    values: NDArray[np.float32], valid: NDArray[np.bool_], cell: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    channels, height, width = values.shape
    edges = (0, -height % cell), (0, -width % cell)
    valid = np.pad(valid, edges)
    values = np.pad(values, ((0, 0), *edges)) * valid
    rows, cols = valid.shape[0] // cell, valid.shape[1] // cell
    count = valid.reshape(rows, cell, cols, cell).sum(axis=(1, 3))
    total = values.reshape(channels, rows, cell, cols, cell).sum(axis=(2, 4))
    return (total / np.maximum(count, 1)).astype(np.float32), count > 0
