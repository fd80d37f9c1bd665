"""Reading a scene in strips, one for each row of tiles, every pixel once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import Scene
from sscl_geo.maps.axis import TileAxis
from sscl_geo.maps.interest import Interest
from sscl_geo.maps.tiles import Columns, TilePlan
from sscl_geo.process_memory import keep_freed_memory


@dataclass(frozen=True, eq=False)
class Strip:
    """All the pixels of a scene that one row of tiles sees.

    Its pixels lie in memory that the strip after the next is read into.

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

    def tiles(
        self,
        cols: Sequence[int],
        out: NDArray[np.float32] | None = None,
        statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Cut tiles, which continue beyond the scene by reflection.

        Args:
            cols: tile columns.
            out: memory for at least as many images.
            statistics: normalise with these, in compiled code; not at all if None.

        Returns:
            image: float32 of shape (tiles, bands, tile, tile), 0 where not valid.
            valid: bool of shape (tiles, tile, tile).
        """
        side = self.plan.tile
        if out is None:
            out = np.empty((len(cols), len(self.pixels), side, side), np.float32)
        image = out[: len(cols)]
        valid = np.empty((len(cols), side, side), np.bool_)
        rows = _part(self.plan.rows, self.index, self.origin[0])
        for n, j in enumerate(cols):
            part = _part(self.plan.cols, j, self.origin[1])
            valid[n] = self.valid[rows][:, part]
            if statistics is not None:
                from sscl_geo.maps.compiled_normalizing import normalize_tile

                normalize_tile(self.pixels, rows, part, valid[n], statistics, image[n])
                continue
            image[n] = self.pixels[:, rows][:, :, part]
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

    Neighbouring strips share rows, which are kept and not read again. Two strips are in memory, the
    one being read and the one handed out: memory that is used again need not be asked for, and
    cleared by the system, once for each strip.

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
    keep_freed_memory()
    columns = columns or plan.whole
    rows = [plan.rows.reflected(i, i) for i in range(len(plan.rows))]
    seen = plan.cols.reflected(columns.first, columns.stop - 1)
    left, right = int(seen.min()), int(seen.max()) + 1
    # The last strips may reflect rows that stand above their own first row.
    tops = np.minimum.accumulate([r.min() for r in reversed(rows)])[::-1].tolist()
    bottoms = np.maximum.accumulate([r.max() + 1 for r in rows]).tolist()
    height = max(bottom - top for top, bottom in zip(tops, bottoms, strict=True))
    with SceneReader(scene, bands) as reader:
        shape = len(reader.bands), height, right - left
        pixels, spare = (np.empty(shape, scene.dtype) for _ in range(2))
        valid = np.empty((0, right - left), np.bool_)
        top = tops[first]
        for i in range(first, len(rows)):
            kept = top + len(valid) - tops[i]
            spare[:, :kept] = pixels[:, tops[i] - top : tops[i] - top + kept]
            valid = valid[tops[i] - top :]
            pixels, spare, top = spare, pixels, tops[i]
            begin, end = top + kept, bottoms[i]
            if end > begin:
                wanted = (left, right)
                if interest is not None:
                    wanted = interest.columns_seen(columns, begin, end)
                into = pixels[:, kept : end - top]
                valid = np.concatenate([valid, _read(reader, begin, wanted, left, into)])
            yield _strip(i, plan, columns, interest, pixels[:, : end - top], valid, (top, left))


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
    reader: SceneReader, row: int, cols: tuple[int, int], left: int, into: NDArray[np.generic]
) -> NDArray[np.bool_]:
    """Read some columns of the rows from ``row`` on, and say where there is data.

    Args:
        reader: reads the scene.
        row: first row.
        cols: first column to read and column after the last; the others are not valid.
        left: the scene's column at which ``into`` begins.
        into: shape (bands, rows, columns), takes the pixels.
    """
    _, height, width = into.shape
    valid = np.zeros((height, width), np.bool_)
    if cols[1] > cols[0]:
        part = np.s_[:, cols[0] - left : cols[1] - left]
        out = into[:, *part]
        pixels, valid[part] = reader.read_raw(row, cols[0], height, cols[1] - cols[0], out)
        if pixels is not out:
            out[:] = pixels
    return valid


def _part(axis: TileAxis, index: int, origin: int) -> slice | NDArray[np.intp]:
    """Where a tile's pixels are: a slice within the scene, which is cheaper to cut."""
    start = axis.starts[index]
    if start >= 0 and start + axis.tile <= axis.size:
        return slice(start - origin, start - origin + axis.tile)
    return axis.reflected(index, index) - origin
