"""Halving rasters of classes in one pass, as machine code."""

import numpy as np
from numpy.typing import NDArray

from sscl_geo.maps.compiling import compiled


@compiled
def halve(rows: NDArray[np.unsignedinteger], nodata: int, out: NDArray[np.unsignedinteger]) -> None:
    """Put the most frequent value of each 2 x 2 pixels into one, the first of equals.

    Args:
        rows: shape (rows, bands, columns), rows and columns even.
        nodata: value that has no vote, and is shown only where all have it.
        out: shape (rows / 2, bands, columns / 2).
    """
    height, bands, width = out.shape
    for r in range(height):
        for band in range(bands):
            upper, lower, into = rows[2 * r, band], rows[2 * r + 1, band], out[r, band]
            for i in range(width):
                a, b, c, d = upper[2 * i], upper[2 * i + 1], lower[2 * i], lower[2 * i + 1]
                n_a = (1 + (a == b) + (a == c) + (a == d)) * (a != nodata)
                n_b = (1 + (b == a) + (b == c) + (b == d)) * (b != nodata)
                n_c = (1 + (c == a) + (c == b) + (c == d)) * (c != nodata)
                n_d = (1 + (d == a) + (d == b) + (d == c)) * (d != nodata)
                best, votes = (b, n_b) if n_b > n_a else (a, n_a)
                best, votes = (c, n_c) if n_c > votes else (best, votes)
                into[i] = d if n_d > votes else best
