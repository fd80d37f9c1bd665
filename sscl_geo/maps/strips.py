"""Reading a scene in strips, one for each row of tiles, every pixel once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import Scene
from sscl_geo.maps.interest import Interest
from sscl_geo.maps.tiles import Columns, TilePlan


@dataclass(frozen=True, eq=False)
class Strip:
    """All the pixels of a scene that one row of tiles sees.

    Attributes:
        index: number of the tile row.
        cols: tile columns that add to a pixel with data.
        finished: bool of shape (rows, width of the columns): the valid mask of the rows that get
            their last contribution from this tile row.
        plan: the tiles.
        pixels: shape (bands, rows, cols), as they are in the file.
        valid: bool of shape (rows, cols).
        origin: row and column of the scene at which ``pixels`` begins.
    """

    index: int
    cols: tuple[int, ...]
    finished: NDArray[np.bool_]
    plan: TilePlan
    pixels: NDArray[np.generic]
    valid: NDArray[np.bool_]
    origin: tuple[int, int]

    def tiles(self, cols: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Cut tiles, which continue beyond the scene by reflection.

        Args:
            cols: tile columns.

        Returns:
            image: float32 of shape (tiles, bands, tile, tile), raw values, 0 where not valid.
            valid: bool of shape (tiles, tile, tile).
        """
        side = self.plan.tile
        image = np.empty((len(cols), len(self.pixels), side, side), np.float32)
        valid = np.empty((len(cols), side, side), np.bool_)
        rows = _part(self.plan.rows.reflected(self.index, self.index) - self.origin[0])
        for n, j in enumerate(cols):
            part = _part(self.plan.cols.reflected(j, j) - self.origin[1])
            image[n] = self.pixels[:, rows][:, :, part]
            valid[n] = self.valid[rows][:, part]
            if not valid[n].all():
                image[n][:, ~valid[n]] = 0
        return image, valid


def read_strips(
    scene: Scene,
    plan: TilePlan,
    bands: Sequence[str] | None = None,
    *,
    columns: Columns | None = None,
    first: int = 0,
    interest: Interest | None = None,
) -> Iterator[Strip]:
    """Read a scene from top to bottom, one strip for each tile row.

    Neighbouring strips share rows, which are kept and not read again. Three strips are in memory at
    most: the one being read, the one handed out, and what they share.

    Args:
        scene: what to read.
        plan: the tiles; its shape is the scene's.
        bands: names of the bands to read, in this order; all if None.
        columns: the part of the scene to read; all of it if None.
        first: tile row to begin with.
        interest: where a map is wanted; everywhere if None. What no tile there sees is not read.

    Raises:
        BandError: if the scene has no band of a name that was asked for.
        SceneError: if the file cannot be read.
    """
    columns = columns or plan.whole
    rows = [plan.rows.reflected(i, i) for i in range(len(plan.rows))]
    seen = plan.cols.reflected(columns.first, columns.stop - 1)
    left, right = int(seen.min()), int(seen.max()) + 1
    # The last strips may reflect rows that stand above their own first row.
    needed_from = np.minimum.accumulate([r.min() for r in reversed(rows)])[::-1].tolist()
    with SceneReader(scene, bands) as reader:
        pixels = np.empty((len(reader.bands), 0, right - left), scene.dtype)
        valid = np.empty((0, right - left), np.bool_)
        top = needed_from[first]
        for i in range(first, len(rows)):
            pixels, valid = pixels[:, needed_from[i] - top :], valid[needed_from[i] - top :]
            top = needed_from[i]
            begin, end = top + len(valid), int(rows[i].max()) + 1
            if end > begin:
                wanted = (left, right)
                if interest is not None:
                    wanted = interest.columns_seen(columns, begin, end)
                new = _read(reader, (begin, end), wanted, (left, right))
                pixels = np.concatenate([pixels, new[0]], axis=1)
                valid = np.concatenate([valid, new[1]])
            yield _strip(i, plan, columns, interest, pixels, valid, (top, left))


def _strip(
    i: int,
    plan: TilePlan,
    columns: Columns,
    interest: Interest | None,
    pixels: NDArray[np.generic],
    valid: NDArray[np.bool_],
    origin: tuple[int, int],
) -> Strip:
    top, bottom = plan.rows.span(i)
    shown = valid[top - origin[0] : bottom - origin[0]]
    shown = shown[:, columns.begin - origin[1] : columns.end - origin[1]]
    if interest is not None:
        shown = shown & interest.mask((top, bottom), (columns.begin, columns.end))
    has_data = shown.any(axis=0)
    spans = ((j, *plan.cols.span(j)) for j in range(columns.first, columns.stop))
    cols = tuple(
        j
        for j, left, right in spans
        if has_data[max(left - columns.begin, 0) : right - columns.begin].any()
    )
    begin, end = plan.rows.finished(i)
    return Strip(i, cols, shown[begin - top : end - top], plan, pixels, valid, origin)


def _read(
    reader: SceneReader, rows: tuple[int, int], cols: tuple[int, int], buffer: tuple[int, int]
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Read some columns of some rows into a buffer of more columns, the others not valid."""
    shape = rows[1] - rows[0], buffer[1] - buffer[0]
    if cols == buffer:
        return reader.read_raw(rows[0], cols[0], *shape)
    pixels = np.zeros((len(reader.bands), *shape), reader.scene.dtype)
    valid = np.zeros(shape, np.bool_)
    if cols[1] > cols[0]:
        part = np.s_[cols[0] - buffer[0] : cols[1] - buffer[0]]
        read = reader.read_raw(rows[0], cols[0], shape[0], cols[1] - cols[0])
        pixels[..., part], valid[..., part] = read
    return pixels, valid


def _part(indexes: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """A slice where indexes follow one another, which is cheaper to cut than single ones."""
    first, last = int(indexes[0]), int(indexes[-1])
    if last - first + 1 == len(indexes) and (indexes[1:] > indexes[:-1]).all():
        return slice(first, last + 1)
    return indexes
