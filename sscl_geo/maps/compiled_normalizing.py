"""Normalising a tile while it is cut, in one pass as machine code."""

import numpy as np
from numpy.typing import NDArray

from sscl_geo.maps.compiling import compiled

Part = slice | NDArray[np.intp]
"""Indexes along an axis."""


def normalize_tile(
    pixels: NDArray[np.generic],
    rows: Part,
    cols: Part,
    valid: NDArray[np.bool_],
    statistics: tuple[tuple[float, ...], tuple[float, ...]],
    out: NDArray[np.float32],
) -> None:
    """Do what :func:`~sscl_geo.transforms.normalize.normalize` does, to the last bit.

    Args:
        pixels: shape (bands, rows, columns), raw values.
        rows: which of their rows.
        cols: which of their columns.
        valid: bool of the shape of a band of ``out``.
        statistics: mean and standard deviation of each band.
        out: float32 of shape (bands, rows, columns), C-contiguous; takes normalised values, 0 where
            not valid.
    """
    if pixels.dtype == np.float16:  # which compiled code does not know
        pixels, rows, cols = pixels[:, rows][:, :, cols].astype(np.float32), slice(0), slice(0)
    elif not (isinstance(rows, slice) and isinstance(cols, slice)):
        pixels, rows, cols = pixels[:, rows][:, :, cols], slice(0), slice(0)
    corner = rows.start or 0, cols.start or 0
    mean, std = (np.asarray(values, np.float32) for values in statistics)
    std = np.where(std > 0, std, np.float32(1))
    for n, (band, m, s) in enumerate(zip(pixels, mean, std, strict=True)):
        _normalize(np.ascontiguousarray(band), corner, valid, m, s, out[n])


@compiled
def _normalize(
    band: NDArray[np.generic],
    corner: tuple[int, int],
    valid: NDArray[np.bool_],
    mean: np.float32,
    std: np.float32,
    out: NDArray[np.float32],
) -> None:
    zero = np.float32(0)
    height, width = out.shape
    for r in range(height):
        pixels = band[corner[0] + r, corner[1] : corner[1] + width]
        known, into = valid[r], out[r]
        for c in range(width):
            value = (np.float32(pixels[c]) - mean) / std
            into[c] = value if known[c] else zero
