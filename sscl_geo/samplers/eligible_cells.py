"""The windows of a scene, each decoded at one visit, in which pairs can lie."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from sscl_geo.io.scene import Scene
from sscl_geo.io.validity import ValidityTable

_SPARSE: Final = 0.5
"""Share of valid pixels below which a scene's cells are chosen by what they hold."""


@dataclass(frozen=True)
class Cell:
    """A window of a scene that is decoded at one visit; row, col, height, width in pixels."""

    row: int
    col: int
    height: int
    width: int


def draw_cell(rng: np.random.Generator, scene: Scene, side: int) -> Cell:
    """Draw a cell that starts on a block of the file, so that few blocks are decoded.

    Args:
        rng: source of randomness.
        scene: where to draw.
        side: height and width in pixels, less where the scene is smaller.
    """
    start, size = [], []
    for length, block in zip(scene.shape, scene.block_shape, strict=True):
        extent = min(side, length)
        # A strip as wide as the scene is decoded whole anyway; do not start within it.
        step = block if block <= side else 1
        last = length - extent
        start.append(min(step * int(rng.integers(0, -(-last // step) + 1)), last))
        size.append(extent)
    return Cell(start[0], start[1], size[0], size[1])


class EligibleCells:
    """Cells of a scene by how much they hold, where most of them hold nothing.

    Args:
        scene: the scene.
        side: height and width of a cell in pixels.
        region: what may be looked at, in (x, y) pixels of the scene; everything if None.
        table: the scene's valid pixels; all of them if None.
        margin: pixels by which views may reach out of the region.
    """

    def __init__(
        self,
        scene: Scene,
        side: int,
        region: BaseGeometry | None,
        table: ValidityTable | None,
        margin: int,
    ) -> None:
        height, width = (min(side, length) for length in scene.shape)
        row, col = np.meshgrid(*_starts(scene, side), indexing="ij")
        windows = np.stack([row.ravel(), col.ravel()], -1)
        weights = np.ones(len(windows))
        if table is not None:
            sizes = np.broadcast_to([height, width], windows.shape)
            weights *= table.valid_share(*windows.T, *sizes.T)
        low, high = windows, windows + np.array([height, width])
        if region is not None:
            boxes = shapely.box(*low.T[::-1], *high.T[::-1])
            shared = shapely.intersection(boxes, region)
            weights *= shapely.area(shared)
            # No larger than needed: in a small region pairs would be found by chance alone.
            bounds = shapely.bounds(shared).reshape(-1, 2, 2)[:, :, ::-1]
            low = np.maximum(np.floor(bounds[:, 0]) - margin, low)
            high = np.minimum(np.ceil(bounds[:, 1]) + margin, high)
        held = weights > 0
        self._low, self._size = low[held].astype(int), (high - low)[held].astype(int)
        self._chance = weights[held] / weights[held].sum() if held.any() else weights[held]

    @classmethod
    def where_needed(
        cls,
        scene: Scene,
        side: int,
        region: BaseGeometry | None,
        table: ValidityTable | None,
        margin: int,
    ) -> "EligibleCells | None":
        """The cells, as above; None where most of the scene will do, as any cell does then."""
        is_sparse = table is not None and table.total_share(scene.shape) < _SPARSE
        if region is None and not is_sparse:
            return None
        return cls(scene, side, region, table, margin)

    def draw(self, rng: np.random.Generator) -> Cell | None:
        """Draw a cell by how much it holds; None if none holds anything."""
        if not len(self._chance):
            return None
        chosen = int(rng.choice(len(self._chance), p=self._chance))
        return Cell(*self._low[chosen].tolist(), *self._size[chosen].tolist())


def _starts(scene: Scene, side: int) -> list[NDArray[np.int64]]:
    """First rows and first columns of cells: on blocks of the file where these are no larger."""
    starts = []
    for length, block in zip(scene.shape, scene.block_shape, strict=True):
        step = block if block <= side else max(1, side // 2)
        last = length - min(side, length)
        # Many small blocks would make too many cells.
        step *= max(1, side // 2 // step)
        starts.append(np.unique(np.minimum(np.arange(0, last + step, step), last)))
    return starts
