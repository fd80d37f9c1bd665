"""From a scene to blended class probabilities, band of rows by band of rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sscl_geo.io.scene import Scene
from sscl_geo.maps.blending import Block
from sscl_geo.maps.interest import Interest
from sscl_geo.maps.layers import most_probable
from sscl_geo.maps.networks import TileNetwork
from sscl_geo.maps.prefetch import prefetch
from sscl_geo.maps.steps import Statistics, choose_steps
from sscl_geo.maps.strips import Strip, read_strips
from sscl_geo.maps.tiles import Columns, TilePlan

_BATCHES_AHEAD: Final = 2
"""Batches that are cut while a GPU works on one."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a scene with what was computed from the blended values of a network.

    Attributes:
        begin: first row.
        values: tensors of shape (channels, rows, columns), on the network's device; anything where
            not valid.
        valid: bool of shape (rows, columns); True where the scene has data and a map is wanted.
    """

    begin: int
    values: tuple[Tensor, ...]
    valid: NDArray[np.bool_]


Compute = Callable[[Tensor], Sequence[Tensor]]
"""Computes tensors (channels, rows, columns) from blended values of such a shape, pixel by pixel.
"""


@dataclass(frozen=True, eq=False)
class _Batch:
    """Tiles of one tile row; ``finished`` comes with the last batch of the row, else it is None."""

    index: int
    cols: tuple[int, ...]
    image: Tensor
    valid: Tensor
    finished: NDArray[np.bool_] | None


@torch.inference_mode()
def predict_rows(
    scene: Scene,
    network: TileNetwork,
    plan: TilePlan,
    channels: int,
    *,
    bands: Sequence[str] | None = None,
    compute: Compute | None = None,
    index_only: bool = False,
    columns: Columns | None = None,
    from_row: int = 0,
    interest: Interest | None = None,
    batch_size: int = 8,
    device: torch.device | str = "cpu",
) -> Iterator[Rows]:
    """Run a network over a scene and yield finished rows from top to bottom.

    Reading runs ahead in a thread of its own, on a GPU cutting too. Tiles that would add to no
    valid pixel are not shown to the network.

    Args:
        scene: what to read.
        network: gives values for each pixel of a batch of tiles: class probabilities, features.
        plan: the tiles.
        channels: number of values that the network gives for each pixel.
        bands: names of the scene's bands to read, in the network's order; all if None.
        compute: what is wanted of the blended values; they themselves if None.
        index_only: give ``compute`` the index of the largest value, as
            :func:`~sscl_geo.maps.layers.most_probable` does, of shape (1, rows, columns), in place
            of the values.
        columns: the part of the scene to compute; all of it if None.
        from_row: row of the scene to begin with; the first rows that are yielded may begin above.
        interest: where values are wanted; everywhere if None.
        batch_size: number of tiles shown to the network at once.
        device: where the network is.

    Raises:
        SceneError: if the scene cannot be read.
    """
    columns = columns or plan.whole
    # Rows that were begun by earlier tile rows need these again to come out the same.
    first = next((i for i in range(len(plan.rows)) if plan.rows.span(i)[1] > from_row), None)
    if first is None:
        return
    on_host = torch.device(device).type == "cpu"
    steps = choose_steps(network, plan, channels, columns, device, index_only=index_only)
    nothing = torch.zeros((channels, 1, 1), device=device)
    if index_only:
        nothing = most_probable(nothing)[None]
    assembly = _Assembly(compute, nothing, columns.width)
    strips = read_strips(scene, plan, bands, columns=columns, first=first, interest=interest)
    batches = _cut(prefetch(strips, depth=1), batch_size, device, steps.statistics)
    # What is cut on the host just before the network sees it is still in the cache.
    for batch in batches if on_host else prefetch(batches, _BATCHES_AHEAD):
        begin, end = plan.rows.finished(batch.index)
        if batch.cols:
            image = batch.image.to(device, non_blocking=True)
            values = steps.network(image, batch.valid.to(device, non_blocking=True))
            for j, tile in zip(batch.cols, values, strict=True):
                for block in steps.blender.add(batch.index, j, tile):
                    assembly.put(block, end - begin)
        if batch.finished is not None:
            found = assembly.take(end - begin)
            if end > from_row:
                skipped = max(from_row - begin, 0)
                rows = tuple(values[:, skipped:] for values in found)
                yield Rows(begin + skipped, rows, batch.finished[skipped:])


class _Assembly:
    """Puts what is computed from finished pixels of one tile row side by side.

    On the host it is computed block by block, while they are in the cache; on a GPU, where each
    operation takes time whatever its size, once for all of them.
    """

    def __init__(self, compute: Compute | None, nothing: Tensor, width: int) -> None:
        self._later = compute if nothing.device.type != "cpu" else None
        self._now = compute if self._later is None else None
        self._nothing, self._width = nothing, width
        self._whole: list[Tensor] = []

    def put(self, block: Block, rows: int) -> None:
        """Take a block of a tile row that finishes so many rows."""
        found = (block.values,) if self._now is None else self._now(block.values)
        if not self._whole:
            self._whole = [
                torch.zeros((len(x), rows, self._width), dtype=x.dtype, device=x.device)
                for x in found
            ]
        for whole, part in zip(self._whole, found, strict=True):
            bottom, right = block.row + part.shape[1], block.col + part.shape[2]
            whole[:, block.row : bottom, block.col : right] = part

    def take(self, rows: int) -> Sequence[Tensor]:
        """All columns of so many rows; anything where nothing was put."""
        if not self._whole:
            self.put(Block(0, 0, self._nothing), rows)
        whole, self._whole = self._whole, []
        return whole if self._later is None else self._later(whole[0])


def _cut(
    strips: Iterator[Strip],
    batch_size: int,
    device: torch.device | str,
    statistics: Statistics | None,
) -> Iterator[_Batch]:
    """Cut strips into batches of tiles, and say with the last one which rows are finished.

    On the host, where no batch is cut before the one before is done with, all are cut into the same
    memory.
    """
    kind, memory = torch.device(device).type, None
    for strip in strips:
        if memory is None and kind == "cpu":
            side = strip.plan.tile
            memory = np.empty((batch_size, len(strip.pixels), side, side), np.float32)
        groups = list(batched(strip.cols, batch_size)) or [()]
        for cols in groups:
            image, valid = map(torch.from_numpy, strip.tiles(cols, memory, statistics))
            if kind == "cuda":  # only such memory is copied to the GPU while it computes
                image, valid = image.pin_memory(), valid.pin_memory()
            yield _Batch(
                strip.index, cols, image, valid, strip.finished if cols is groups[-1] else None
            )
