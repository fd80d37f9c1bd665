"""Reading what is left of a damaged file."""

import warnings
from itertools import pairwise

import numpy as np

from sscl_geo.errors import SceneError, SkippedPlaceWarning
from sscl_geo.io.reading import RawPatch, SceneReader


def read_sound(reader: SceneReader, row: int, col: int, height: int, width: int) -> RawPatch:
    """Read a window of a scene; blocks that cannot be decoded are pixels without data.

    For passes over whole scenes, which one bad block out of a hundred thousand must not end.

    Args:
        reader: of the scene.
        row: first row, within the scene as all of the window.
        col: first column.
        height: number of rows.
        width: number of columns.

    Returns:
        pixels in the type of the file, and valid mask.

    Warns:
        SkippedPlaceWarning: if a block cannot be decoded; once for the window.
    """
    try:
        return reader.read_raw(row, col, height, width)
    except SceneError as error:
        failure = error
    bands = len(reader.bands)
    whole = RawPatch(
        np.zeros((bands, height, width), reader.scene.dtype), np.zeros((height, width), dtype=bool)
    )
    block_height, block_width = reader.scene.block_shape
    bad = 0
    for top, bottom in _cuts(row, height, block_height):
        for left, right in _cuts(col, width, block_width):
            place = np.s_[top - row : bottom - row, left - col : right - col]
            try:
                part = reader.read_raw(top, left, bottom - top, right - left)
            except SceneError as error:
                failure = error
                bad += 1
                continue
            whole.pixels[:, *place] = part.pixels
            whole.valid[place] = part.valid
    if bad:
        blocks = "1 block" if bad == 1 else f"{bad} blocks"
        warnings.warn(f"Skipped {blocks}: {failure}", SkippedPlaceWarning, stacklevel=3)
    return whole


def _cuts(start: int, length: int, step: int) -> list[tuple[int, int]]:
    """(first, last + 1) of the parts into which multiples of ``step`` cut a range."""
    edges = [start, *range(start - start % step + step, start + length, step), start + length]
    return list(pairwise(edges))
