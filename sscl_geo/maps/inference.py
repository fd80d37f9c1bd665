"""From a scene to blended class probabilities, band of rows by band of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sscl_geo.io.scene import Scene
from sscl_geo.maps.blending import BandAccumulator
from sscl_geo.maps.prefetch import prefetch
from sscl_geo.maps.strips import Strip, read_strips
from sscl_geo.maps.tiles import TilePlan

if TYPE_CHECKING:
    from sscl_geo.models.predictor import Predictor


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a scene with their blended class probabilities.

    Attributes:
        begin: first row.
        probabilities: float32 tensor of shape (classes, rows, width), on the predictor's device;
            they sum to 1 where valid. To be used before the next rows are asked for, which take
            its memory.
        valid: bool of shape (rows, width); True where the scene has data.
    """

    begin: int
    probabilities: Tensor
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
    predictor: "Predictor",
    plan: TilePlan,
    *,
    bands: Sequence[str] | None = None,
    batch_size: int = 8,
    device: torch.device | str = "cpu",
) -> Iterator[Rows]:
    """Run a network over a scene and yield finished rows from top to bottom.

    Reading and cutting run ahead in threads of their own. Tiles that would add to no valid pixel
    are not shown to the network.

    Args:
        scene: what to read.
        predictor: gives class probabilities for a batch of tiles.
        plan: the tiles.
        bands: names of the scene's bands to read, in the predictor's order; all if None.
        batch_size: number of tiles shown to the network at once.
        device: where the predictor is.

    Raises:
        SceneError: if the scene cannot be read.
    """
    band = BandAccumulator(plan, len(predictor.classes), device)
    strips = prefetch(read_strips(scene, plan, bands), depth=1)
    for batch in prefetch(_cut(strips, plan, batch_size)):
        if batch.cols:
            probabilities = predictor(batch.image.to(device), batch.valid.to(device))
            for j, tile in zip(batch.cols, probabilities, strict=True):
                band.add(batch.index, j, tile)
        if batch.finished is not None:
            begin, _ = plan.rows.finished(batch.index)
            yield Rows(begin, band.finish(batch.index), batch.finished)


def _cut(strips: Iterator[Strip], plan: TilePlan, batch_size: int) -> Iterator[_Batch]:
    """Cut strips into batches of tiles, and say with the last one which rows are finished."""
    for strip in strips:
        image, valid = torch.from_numpy(strip.image), torch.from_numpy(strip.valid)
        groups = list(batched(_tiles_with_data(strip, plan), batch_size)) or [()]
        for cols in groups:
            at = [plan.cols.starts[j] - plan.cols.starts[0] for j in cols]
            yield _Batch(
                strip.index,
                cols,
                _stack([image[:, :, x : x + plan.tile] for x in at], image),
                _stack([valid[:, x : x + plan.tile] for x in at], valid),
                strip.finished if cols is groups[-1] else None,
            )


def _stack(tiles: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(tiles) if tiles else like.new_empty(0)


def _tiles_with_data(strip: Strip, plan: TilePlan) -> list[int]:
    """Tile columns whose core holds a valid pixel of the scene."""
    top, bottom = (row - plan.rows.starts[strip.index] for row in plan.rows.span(strip.index))
    has_data = strip.valid[top:bottom].any(axis=0)
    spans = (plan.cols.span(j) for j in range(len(plan.cols)))
    origin = plan.cols.starts[0]
    return [j for j, (a, b) in enumerate(spans) if has_data[a - origin : b - origin].any()]
