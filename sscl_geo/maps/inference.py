"""From a scene to blended class probabilities, band of rows by band of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sscl_geo.classes import ClassTable
from sscl_geo.io.scene import Scene
from sscl_geo.maps.blending import BandAccumulator
from sscl_geo.maps.interest import Interest
from sscl_geo.maps.prefetch import prefetch
from sscl_geo.maps.strips import Strip, read_strips
from sscl_geo.maps.tiles import Columns, TilePlan


class TileNetwork(Protocol):
    """Whatever answers a batch of tiles with some values for each pixel."""

    def __call__(self, image: Tensor, valid: Tensor, /) -> Tensor:
        """Values of a batch.

        Args:
            image: float32 of shape (B, C, H, W), raw units, 0 where not valid.
            valid: bool of shape (B, H, W).

        Returns:
            float32 of shape (B, K, H, W).
        """
        ...


class ClassNetwork(TileNetwork, Protocol):
    """A network that gives class probabilities, with all that a map needs to know of it.

    Attributes:
        bands: names of the bands it takes, in order.
        classes: what its values mean.
        stride: its largest downsampling.
    """

    bands: tuple[str, ...]
    classes: ClassTable
    stride: int


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a scene with the blended values of a network, for example class probabilities.

    Attributes:
        begin: first row.
        values: float32 tensor of shape (channels, rows, columns), on the network's device. To be
            used before the next rows are asked for, which take its memory.
        valid: bool of shape (rows, columns); True where the scene has data and a map is wanted.
    """

    begin: int
    values: Tensor
    valid: NDArray[np.bool_]


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
    columns: Columns | None = None,
    from_row: int = 0,
    interest: Interest | None = None,
    batch_size: int = 8,
    device: torch.device | str = "cpu",
) -> Iterator[Rows]:
    """Run a network over a scene and yield finished rows from top to bottom.

    Reading and cutting run ahead in threads of their own. Tiles that would add to no valid pixel
    are not shown to the network.

    Args:
        scene: what to read.
        network: gives values for each pixel of a batch of tiles: class probabilities, features.
        plan: the tiles.
        channels: number of values that the network gives for each pixel.
        bands: names of the scene's bands to read, in the network's order; all if None.
        columns: the part of the scene to compute; all of it if None.
        from_row: row of the scene to begin with; the first rows that are yielded may begin above.
        interest: where values are wanted; everywhere if None.
        batch_size: number of tiles shown to the network at once.
        device: where the network is.

    Raises:
        SceneError: if the scene cannot be read.
    """
    columns = columns or plan.whole
    band = BandAccumulator(plan, channels, device, columns)
    # Rows that were begun by earlier tile rows need these again to come out the same.
    first = next((i for i in range(len(plan.rows)) if plan.rows.span(i)[1] > from_row), None)
    if first is None:
        return
    strips = read_strips(scene, plan, bands, columns=columns, first=first, interest=interest)
    pin = torch.device(device).type == "cuda"
    for batch in prefetch(_cut(prefetch(strips, depth=1), batch_size, pin=pin)):
        if batch.cols:
            image = batch.image.to(device, non_blocking=True)
            values = network(image, batch.valid.to(device, non_blocking=True))
            for j, tile in zip(batch.cols, values, strict=True):
                band.add(batch.index, j, tile)
        if batch.finished is not None:
            begin, end = plan.rows.finished(batch.index)
            rows = band.finish(batch.index)
            if end > from_row:
                skipped = max(from_row - begin, 0)
                yield Rows(begin + skipped, rows[:, skipped:], batch.finished[skipped:])


def _cut(strips: Iterator[Strip], batch_size: int, *, pin: bool) -> Iterator[_Batch]:
    """Cut strips into batches of tiles, and say with the last one which rows are finished."""
    for strip in strips:
        groups = list(batched(strip.cols, batch_size)) or [()]
        for cols in groups:
            image, valid = map(torch.from_numpy, strip.tiles(cols))
            if pin:  # only such memory is copied to the GPU while it computes
                image, valid = image.pin_memory(), valid.pin_memory()
            yield _Batch(
                strip.index, cols, image, valid, strip.finished if cols is groups[-1] else None
            )
