"""How much of any window of a scene has data, without reading it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from sscl_geo.io.reading import SceneReader
from sscl_geo.io.salvage import read_sound
from sscl_geo.io.scene import Scene
from sscl_geo.progress import progress_bar

_TABLE_ENTRIES = 4_000_000
_BAND_BYTES = 64 * 2**20


@dataclass(frozen=True)
class ValidityTable:
    """Counts of invalid pixels of a scene, summed over the rectangle above and left (Crow, 1984).

    Attributes:
        cell: height and width in pixels of the cells that are counted; 1 for small scenes.
        sums: int64 of shape (rows + 1, cols + 1), invalid pixels of all cells above and left.
    """

    cell: int
    sums: NDArray[np.int64]

    def valid_share(
        self,
        row: NDArray[np.int64],
        col: NDArray[np.int64],
        height: NDArray[np.int64],
        width: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Share of valid pixels in windows: exact for cells of 1 pixel, else a lower bound.

        Invalid pixels of every cell that a window touches are charged to it, so a window is never
        taken for better than it is, and windows away from missing data are exact.

        Args:
            row: first rows, arrays of one shape.
            col: first columns.
            height: numbers of rows.
            width: numbers of columns.
        """
        rows, cols = self.sums.shape
        top = np.clip(row // self.cell, 0, rows - 1)
        left = np.clip(col // self.cell, 0, cols - 1)
        bottom = np.clip(-(-(row + height) // self.cell), 0, rows - 1)
        right = np.clip(-(-(col + width) // self.cell), 0, cols - 1)
        s = self.sums
        invalid = s[bottom, right] - s[top, right] - s[bottom, left] + s[top, left]
        return np.clip(1 - invalid / (height * width), 0, 1)

    def total_share(self, shape: tuple[int, int]) -> float:
        """Share of valid pixels in the whole scene.

        Args:
            shape: its (height, width).
        """
        return 1 - float(self.sums[-1, -1]) / (shape[0] * shape[1])


def marks_invalid(scene: Scene) -> bool:
    """True if a scene has any way to say that a pixel holds no data."""
    return (
        scene.alpha is not None
        or scene.has_mask
        or scene.clouds is not None
        or np.dtype(scene.dtype).kind == "f"
        or any(value is not None for value in scene.nodata)
    )


def bands_that_mark(scene: Scene, bands: Sequence[str] | None = None) -> Sequence[str] | None:
    """Names of the bands to read, of some, to know where there is data in all of them.

    Args:
        scene: any scene.
        bands: names of the bands that must have data; all if None.

    Returns:
        one of them where a mask, alpha or cloud mask speaks for all; else all, None meaning those
        of the scene.
    """
    each = np.dtype(scene.dtype).kind == "f" or any(value is not None for value in scene.nodata)
    return bands if each else (bands or scene.bands)[:1]


def validity_table(reader: SceneReader) -> ValidityTable | None:
    """Count the invalid pixels of a scene by reading it once, in strips of bounded memory.

    Args:
        reader: reads the scene, and those of its bands that must have data.

    Returns:
        the table, or None if every pixel is valid.
    """
    scene = reader.scene
    if not marks_invalid(scene):
        return None
    height, width = scene.shape
    cell = max(1, ceil(sqrt(height * width / _TABLE_ENTRIES)))
    rows, cols = -(-height // cell), -(-width // cell)
    counts = np.zeros((rows, cols), np.int64)
    bytes_per_row = width * 4 * len(reader.bands)
    strip = max(1, _BAND_BYTES // (bytes_per_row * cell)) * cell
    with progress_bar(f"valid area of {scene.name}", rows) as bar:
        for row in range(0, height, strip):
            # Reading past the lower and right edge would count as invalid: pad with True instead.
            valid = read_sound(reader, row, 0, min(strip, height - row), width).valid
            padding = (-valid.shape[0] % cell, -valid.shape[1] % cell)
            invalid = np.pad(~valid, [(0, p) for p in padding])
            blocks = invalid.reshape(invalid.shape[0] // cell, cell, cols, cell)
            counts[row // cell : row // cell + len(blocks)] = blocks.sum(axis=(1, 3))
            bar.advance(len(blocks))
    if not counts.any():
        return None
    return ValidityTable(cell, np.pad(counts, ((1, 0), (1, 0))).cumsum(0).cumsum(1))
