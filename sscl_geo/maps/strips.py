"""Reading a scene in strips, one for each row of tiles, every pixel once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import Scene
from sscl_geo.maps.tiles import TilePlan


@dataclass(frozen=True, eq=False)
class Strip:
    """All the pixels that one row of tiles sees.

    Attributes:
        index: number of the tile row.
        image: float32 of shape (bands, tile, width of all tiles together), raw values, reflected
            beyond the scene's borders; 0 where not valid.
        valid: bool of shape (tile, width of all tiles together), reflected likewise.
        finished: bool of shape (rows, width of the scene): the valid mask of the scene's rows that
            get their last contribution from this tile row.
    """

    index: int
    image: NDArray[np.float32]
    valid: NDArray[np.bool_]
    finished: NDArray[np.bool_]


def read_strips(
    scene: Scene, plan: TilePlan, bands: Sequence[str] | None = None
) -> Iterator[Strip]:
    """Read a scene from top to bottom, one strip for each tile row.

    Neighbouring strips share rows, which are kept and not read again. Three strips are in memory at
    most: the one being read, the one handed out, and what they share.

    Args:
        scene: what to read.
        plan: the tiles; its shape is the scene's.
        bands: names of the bands to read, in this order; all if None.

    Raises:
        BandError: if the scene has no band of a name that was asked for.
        SceneError: if the file cannot be read.
    """
    rows = [plan.rows.reflected(i, i) for i in range(len(plan.rows))]
    columns = plan.cols.reflected(0, -1)
    inside = slice(-plan.cols.starts[0], -plan.cols.starts[0] + plan.cols.size)
    # The last strips may reflect rows that stand above their own first row.
    needed_from = np.minimum.accumulate([r.min() for r in reversed(rows)])[::-1].tolist()
    with SceneReader(scene, bands) as reader:
        image = np.empty((len(reader.bands), 0, len(columns)), dtype=np.float32)
        valid = np.empty((0, len(columns)), dtype=bool)
        top = 0
        for i, row in enumerate(rows):
            image, valid = image[:, needed_from[i] - top :], valid[needed_from[i] - top :]
            top = needed_from[i]
            new = int(row.max()) + 1 - top - len(valid)
            if new > 0:
                patch = reader.read(top + len(valid), 0, new, plan.cols.size)
                image = _extend(image, patch.image, columns, inside)
                valid = _extend(valid, patch.valid, columns, inside)
            begin, end = plan.rows.finished(i)
            finished = valid[begin - top : end - top, inside]
            if np.array_equal(row, np.arange(top, top + len(valid))):
                yield Strip(i, image, valid, finished)
            else:
                yield Strip(i, image[:, row - top], valid[row - top], finished)


def _extend[Pixels: np.generic](
    kept: NDArray[Pixels],
    new: NDArray[Pixels],
    columns: NDArray[np.intp],
    inside: slice,
) -> NDArray[Pixels]:
    """Append rows to a strip, the columns beyond the scene filled by reflection."""
    *leading, old_rows, width = kept.shape
    extended = np.empty((*leading, old_rows + new.shape[-2], width), dtype=kept.dtype)
    extended[..., :old_rows, :] = kept
    extended[..., old_rows:, inside] = new
    for side in (slice(0, inside.start), slice(inside.stop, width)):
        extended[..., old_rows:, side] = new[..., columns[side]]
    return extended
