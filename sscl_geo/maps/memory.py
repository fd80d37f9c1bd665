"""How much memory a map will take, and into how many parts its scene is cut to take less."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from sscl_geo.io.scene import Scene
from sscl_geo.maps.layers import Layer
from sscl_geo.maps.networks import TileNetwork
from sscl_geo.maps.tiles import Columns, PlanShare, TilePlan
from sscl_geo.process_memory import RssWatch

GDAL_CACHE: Final = (16 * 2**20, 2**30)
"""Least and most memory that GDAL may use for decoded blocks."""

_STRIPS: Final = 2
"""Strips alive at once: one being read, one being cut."""

_BATCHES: Final = 4
"""Batches alive at once: two ahead, one with the network, one that it has normalised."""

_ROWS_WAITING: Final = 3
"""Rows of the layers alive at once: being computed, waiting, being written."""

_WITH_LEFTOVERS: Final = 1.1
"""Memory that buffers take with what the C library keeps between them; 1.07 was measured."""


@dataclass(frozen=True)
class MemoryNeed:
    """What the host's memory is needed for.

    Attributes:
        process: what the process takes while the network answers, with its libraries, in bytes.
        buffers: what reading, blending and writing will add at most, in bytes.
        parts: number of parts, from left to right, in which the scene is computed.
    """

    process: int
    buffers: int
    parts: int

    @property
    def peak(self) -> int:
        """Predicted peak of the process, in bytes."""
        return self.process + self.buffers

    def __str__(self) -> str:
        parts = f", the scene cut into {self.parts} column strips" if self.parts > 1 else ""
        return f"at most {math.ceil(self.peak / 1e8) / 10:.1f} GB{parts}"


def plan_memory(
    scene: Scene,
    plan: TilePlan,
    layers: Sequence[Layer],
    channels: int,
    *,
    process: int,
    bands: int,
    batch_size: int,
    limit: float,
    on_host: bool,
    share: PlanShare | None = None,
) -> MemoryNeed:
    """Predict the peak of memory, and cut the scene into parts until it is below a limit.

    It does not depend on the scene's height. Where the process alone is above the limit the parts
    are as narrow as one tile.

    Args:
        scene: what is to be read.
        plan: the tiles.
        layers: what is to be written.
        channels: values of the network at each pixel.
        process: bytes that the process takes while the network answers; see :func:`warm_up`.
        bands: bands that are read.
        batch_size: tiles shown to the network at once.
        limit: bytes that the process shall not exceed.
        on_host: whether the network runs on the CPU, so that blending takes the host's memory.
        share: the columns that are computed; all of them if None.
    """
    share = share or plan.share(1, 1)
    for parts in range(1, len(plan.cols) // share.total + 1):
        widest = max(share.cut(parts), key=lambda columns: columns.width)
        buffers = _buffers(
            scene, plan, widest, layers, channels if on_host else 0, bands, batch_size
        )
        if process + buffers <= limit:
            break
    return MemoryNeed(process, buffers, parts)


def warm_up(
    network: TileNetwork,
    shape: tuple[int, int, int, int],
    device: str | torch.device,
    machine_code: tuple[int, str] | None = None,
) -> int:
    """Show a network one empty batch: what it takes for one cannot be told otherwise.

    Args:
        network: what is to be run; left alone if it is no PyTorch module.
        shape: (tiles, bands, tile, tile).
        device: where it is.
        machine_code: values of the network at each pixel, and type of the scene's, for which to
            load the compiled steps; None where there are none.

    Returns:
        most memory that the process had meanwhile, in bytes.
    """
    with RssWatch() as watch:
        if isinstance(network, torch.nn.Module):
            valid = torch.zeros((shape[0], *shape[2:]), dtype=torch.bool, device=device)
            network(torch.zeros(shape, device=device), valid)
        if machine_code is not None:
            from sscl_geo.maps.compiled_blending import load_machine_code

            load_machine_code(*machine_code)
    return watch.peak


def gdal_cache(scene: Scene, width: int, bands: int) -> int:
    """Bytes for two rows of a scene's blocks, so that none is decoded twice.

    Args:
        scene: the scene.
        width: columns of it that are read at once.
        bands: bands that are read; GDAL decodes all of a pixel-interleaved file.
    """
    rows, cols = scene.block_shape
    bands = max(bands, len(scene.indexes))
    width = min(width + 2 * cols, -(-scene.shape[1] // cols) * cols)
    row_bytes = width * bands * np.dtype(scene.dtype).itemsize
    least, most = GDAL_CACHE
    return min(max(2 * min(rows, scene.shape[0]) * row_bytes, least), most)


def _buffers(
    scene: Scene,
    plan: TilePlan,
    columns: Columns,
    layers: Sequence[Layer],
    channels: int,
    bands: int,
    batch_size: int,
) -> int:
    width = columns.width + 2 * plan.tile
    strip = plan.tile * width * (bands * np.dtype(scene.dtype).itemsize + 1)
    batch = batch_size * plan.tile**2 * (4 * bands + 1)
    answer = batch_size * plan.tile**2 * 4 * channels
    core = plan.rows.core
    carried = core - plan.stride  # at most: the last tile may stand that near to the one before
    blend = 4 * (channels + 1) * (core**2 + carried * (columns.width + core))
    rows = core * columns.width * sum(len(x.bands) * np.dtype(x.dtype).itemsize for x in layers)
    return int(
        _WITH_LEFTOVERS
        * (
            _STRIPS * strip
            + _BATCHES * batch
            + answer
            + blend
            + _ROWS_WAITING * rows
            + gdal_cache(scene, columns.width, bands)
        )
    )
