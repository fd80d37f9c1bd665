"""Shares of a map: columns of a scene that other processes have computed."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sscl_geo.maps.inference import Rows
from sscl_geo.maps.layers import Layer
from sscl_geo.maps.partial import finished_rows
from sscl_geo.maps.raw import RawRaster
from sscl_geo.maps.tiles import Columns, PlanShare, TilePlan

_ROWS = 512
"""Rows that are taken over at once."""


def share_folder(out: Path, number: int, total: int) -> Path:
    """Folder in which a share of a map grows: ``map.tif.share-2-of-8`` beside ``map.tif``."""
    return out.with_name(f"{out.name}.share-{number}-of-{total}")


def remove_shares(out: Path) -> None:
    """Remove the shares of a map, of which nothing is needed when it is there."""
    for folder in out.parent.glob("*.share-*-of-*"):
        if folder.name.startswith(f"{out.name}.share-"):
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, eq=False)
class FinishedShare:
    """The rows of a share, complete.

    Attributes:
        columns: its columns of the scene.
        rasters: raster of each layer.
    """

    columns: Columns
    rasters: Sequence[RawRaster]

    def holds(self, columns: Columns) -> bool:
        """Whether some columns of the scene all belong to it."""
        return self.columns.begin <= columns.begin and columns.end <= self.columns.end

    def rows(self, columns: Columns, begin: int) -> Iterator[Rows]:
        """Rows of some columns, from a row on."""
        part = slice(columns.begin - self.columns.begin, columns.end - self.columns.begin)
        for row in range(begin, self.rasters[0].height, _ROWS):
            values = [r.read(row, row + _ROWS)[..., part].swapaxes(0, 1) for r in self.rasters]
            tensors = tuple(torch.from_numpy(np.ascontiguousarray(v)) for v in values)
            # Where there is no data the values say so already.
            yield Rows(row, tensors, np.ones(values[0].shape[1:], np.bool_))


def finished_shares(
    out: Path, run: str | None, layers: Sequence[Layer], plan: TilePlan, total: int
) -> list[FinishedShare]:
    """Those of so many shares of a map that are complete, and of this run.

    Args:
        out: the map.
        run: hash of all that it depends on; None if that is not known.
        layers: its layers.
        plan: its tiles.
        total: how many shares there are.
    """
    found: list[FinishedShare] = []
    if run is None:
        return found
    for number in range(1, total + 1):
        share = PlanShare(plan, number, total)
        folder = share_folder(out, number, total)
        rasters = [RawRaster(folder / f"{layer.name}.raw", layer, share.shape) for layer in layers]
        rows = finished_rows(folder, run, rasters)
        if rows and min(rows) == plan.shape[0]:
            found.append(FinishedShare(share.whole, rasters))
    return found
