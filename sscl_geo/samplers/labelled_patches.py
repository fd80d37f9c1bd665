"""Drawing patches where labels are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from sscl_geo.classes import nodata_of
from sscl_geo.datasets.labelled_patches import PatchIndex
from sscl_geo.errors import LabelError
from sscl_geo.io.labelled_ground import drop_without_data
from sscl_geo.io.labels import Labels
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.region import Region
from sscl_geo.io.scene import Scene
from sscl_geo.io.validity import bands_that_mark, marks_invalid
from sscl_geo.progress import track

_WINDOW = 1024
_CANDIDATES = 8


@dataclass(frozen=True, eq=False)
class LabelCells:
    """How many pixels of each class lie where, in square cells of pixels.

    Only cells with labels are kept, so that this stays small for large scenes.

    Attributes:
        cell: side of a cell in pixels.
        scene: number of the scene of each cell, shape (N,).
        row: row of each cell, in cells, shape (N,).
        col: column of each cell, in cells, shape (N,).
        counts: labelled pixels with data inside the region, shape (N, classes).
        allowed: for each scene, the share of each of its cells inside the region, in a summed-area
            table of shape (rows + 1, columns + 1).
    """

    cell: int
    scene: NDArray[np.int64]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    counts: NDArray[np.int64]
    allowed: tuple[NDArray[np.float64], ...]


def count_labels(
    scenes: Sequence[Scene],
    labels: Labels,
    cell: int,
    region: Region | None = None,
    bands: Sequence[str] | None = None,
    *,
    may_be_none: bool = False,
) -> LabelCells:
    """Count labels in cells, window by window.

    Labels where a scene has no data do not count, as no network can learn from them. Images are
    read around the labels only, and not at all where a scene cannot say that it has no data. Blocks
    that cannot be decoded have none.

    Args:
        scenes: scenes on whose grids to count.
        labels: the labels.
        cell: side of a cell in pixels.
        region: ground that may be looked at; everything if None.
        bands: names of the bands that must have data; all if None.
        may_be_none: give no cells where there is no labelled pixel with data.

    Raises:
        LabelError: if there must be a labelled pixel with data, but is none.

    Warns:
        SkippedPlaceWarning: if a block of a scene cannot be decoded.
    """
    classes, step = len(labels.classes), cell * max(1, _WINDOW // cell)
    found: list[NDArray[np.int64]] = []
    allowed = []
    for number, scene in enumerate(scenes):
        height, width = scene.shape
        share = np.zeros((-(-height // cell), -(-width // cell)))
        windows = [(r, c) for r in range(0, height, step) for c in range(0, width, step)]
        if labels.overlaps(scene.geobox):
            marking = bands_that_mark(scene, bands)
            reader = SceneReader(scene, marking) if marks_invalid(scene) else None
            for row, col in track(windows, "labels"):
                geobox = scene.geobox[row : min(row + step, height), col : min(col + step, width)]
                inside = np.ones(geobox.shape, bool) if region is None else region.mask(geobox)
                indices = np.where(inside, labels.on_grid(geobox), labels.classes.ignore_index)
                if reader is not None:
                    drop_without_data(indices, reader, row, col)
                first = np.array([number, row // cell, col // cell])
                found.append(_count_window(indices, cell, classes, first))
                i, j = (np.arange(0, n, cell) for n in geobox.shape)
                sums = np.add.reduceat(np.add.reduceat(inside, i, 0, dtype=float), j, 1)
                share[first[1] :, first[2] :][: len(i), : len(j)] = sums / cell**2
            if reader is not None:
                reader.close()
        allowed.append(np.pad(share, ((1, 0), (1, 0))).cumsum(0).cumsum(1))
    table = np.concatenate(found) if found else np.zeros((0, 3 + classes), np.int64)
    if not len(table) and not may_be_none:
        where = "the scenes" if region is None else f"the {region.part!r} blocks of the scenes"
        raise LabelError(
            f"The labels {labels.path} have no labelled pixel with data in {where}; give labels of "
            "the same place that hold the centre of a pixel, or choose other blocks."
        )
    return LabelCells(cell, table[:, 0], table[:, 1], table[:, 2], table[:, 3:], tuple(allowed))


class LabelledPatchSampler(Sampler[PatchIndex]):
    """Draw windows that hold labels, a new set in each epoch.

    A cell with labels is drawn, then a window that covers it; of several such windows the one that
    lies furthest inside the region is taken.

    Args:
        cells: where labels are, from :func:`count_labels`.
        scenes: the scenes of ``cells``.
        patch_size: height and width of a window, in pixels; at least that of a cell.
        length: windows in an epoch.
        class_balanced: True gives each class the same chance, False each labelled pixel.
        seed: seed of the draws; the same seed and epoch give the same windows.
    """

    def __init__(
        self,
        cells: LabelCells,
        scenes: Sequence[Scene],
        patch_size: int,
        length: int,
        class_balanced: bool = True,
        seed: int = 0,
    ) -> None:
        self.cells = cells
        self.shapes = np.array([scene.shape for scene in scenes])
        self.patch_size = patch_size
        self.length = length
        self.seed = seed
        self.epoch = 0
        self._start = 0
        counts = cells.counts[:, cells.counts.any(axis=0)].astype(np.float64)
        if class_balanced:
            counts /= counts.sum(axis=0)
        self._chance = counts.sum(axis=1) / counts.sum()

    def set_epoch(self, epoch: int) -> None:
        """Choose which epoch's windows come next; Lightning calls this."""
        self.epoch = epoch

    def skip(self, windows: int) -> None:
        """Let the next iteration, and only it, start after this many windows of its epoch.

        For going on in the middle of an epoch; the length stays that of a whole one, which is what
        Lightning counts its batches against.
        """
        self._start = windows

    def __len__(self) -> int:
        """Windows in an epoch."""
        return self.length

    def __iter__(self) -> Iterator[PatchIndex]:
        """Draw the windows of one epoch, on the pixel grids of their scenes."""
        rng = np.random.default_rng((self.seed, self.epoch))
        self.epoch += 1
        start, self._start = self._start, 0
        cells, cell, size = self.cells, self.cells.cell, self.patch_size
        drawn = rng.choice(len(self._chance), self.length, p=self._chance)
        shapes = self.shapes[cells.scene[drawn]]
        shift = rng.integers(0, size - cell + 1, (2, self.length, _CANDIDATES))
        first = np.stack([cells.row[drawn], cells.col[drawn]])[..., None] * cell - shift
        last = np.maximum(shapes.T - size, 0)[..., None]
        rows, cols = np.clip(first, 0, last)
        best = self._allowed_share(cells.scene[drawn], rows, cols).argmax(axis=1)
        each = np.arange(self.length)
        at = (cells.scene[drawn], rows[each, best], cols[each, best])
        for scene, row, col in zip(*(a[start:].tolist() for a in at), strict=True):
            yield PatchIndex(scene, row, col)

    def _allowed_share(
        self, scene: NDArray[np.int64], rows: NDArray[np.int64], cols: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Cells inside the region under each window, to the nearest cell."""
        result = np.zeros(rows.shape)
        for number, table in enumerate(self.cells.allowed):
            of = scene == number
            ends = (rows[of], cols[of], rows[of] + self.patch_size, cols[of] + self.patch_size)
            limits = np.array(table.shape * 2) - 1
            top, left, bottom, right = (
                np.minimum(np.round(end / self.cells.cell).astype(int), limit)
                for end, limit in zip(ends, limits, strict=True)
            )
            result[of] = (
                table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
            )
        return result


def covering_patches(cells: LabelCells) -> list[PatchIndex]:
    """The cells themselves as patches: each labelled pixel once, in reading order."""
    return [
        PatchIndex(int(s), int(r) * cells.cell, int(c) * cells.cell)
        for s, r, c in zip(cells.scene, cells.row, cells.col, strict=True)
    ]


def _count_window(
    indices: NDArray[np.unsignedinteger], cell: int, classes: int, first: NDArray[np.int_]
) -> NDArray[np.int64]:
    """Rows of (scene, cell row, cell column, count of each class) of the cells with labels."""
    row, col = np.nonzero(indices != nodata_of(indices.dtype))
    cols = -(-indices.shape[1] // cell)
    place, slot = np.unique((row // cell) * cols + col // cell, return_inverse=True)
    counts = np.bincount(slot * classes + indices[row, col], minlength=len(place) * classes)
    where = np.stack([np.zeros_like(place), place // cols, place % cols], axis=1) + first
    return np.concatenate([where, counts.reshape(-1, classes)], axis=1)
