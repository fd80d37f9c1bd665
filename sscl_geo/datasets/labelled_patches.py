"""Patches of scenes with their labels, on the scenes' own pixel grids."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sscl_geo.io.labels import Labels
from sscl_geo.io.reader_pool import ReaderPool
from sscl_geo.io.region import Region
from sscl_geo.io.salvage import read_sound
from sscl_geo.io.scene import Scene


class PatchIndex(NamedTuple):
    """Where a patch lies.

    Attributes:
        scene: number of the scene.
        row: first row in the scene.
        col: first column in the scene.
    """

    scene: int
    row: int
    col: int


class LabelledPatches(Dataset[dict[str, Tensor]]):
    """Square windows of scenes with labels; what lies outside a region is not there.

    Pixels outside the region have no data and no label, even in a patch that reaches across its
    border: nothing held out for a test can leak into training. Pixels beyond the scene are the
    same.

    Args:
        scenes: the scenes, each read on its own grid.
        labels: their labels; need not cover all scenes.
        patch_size: height and width in pixels.
        region: ground that may be looked at; everything if None.
        bands: names of the bands to read; all if None.

    Raises:
        BandError: if a scene lacks a band.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        labels: Labels,
        patch_size: int,
        region: Region | None = None,
        bands: Sequence[str] | None = None,
    ) -> None:
        self.scenes = tuple(scenes)
        self.labels = labels
        self.patch_size = patch_size
        self.region = region
        self._readers = ReaderPool.of(self.scenes, bands)

    def __getitem__(self, index: PatchIndex) -> dict[str, Tensor]:
        """Read a patch.

        Args:
            index: scene, first row and first column; may reach beyond the scene.

        Returns:
            ``image`` float32 (C, H, W) in raw units, 0 where not valid; ``valid`` bool (H, W);
            ``mask`` int64 (H, W), class indices, ``labels.classes.ignore_index`` where there is no
            label or no data. Blocks that cannot be decoded have no data.

        Warns:
            SkippedPlaceWarning: if a block cannot be decoded.
        """
        scene, size = self.scenes[index.scene], self.patch_size
        reader = self._readers[index.scene]
        unknown = self.labels.classes.ignore_index
        image = np.zeros((len(reader.bands), size, size), np.float32)
        mask = np.full((size, size), unknown, np.int64)
        valid = np.zeros((size, size), bool)
        top, left = max(index.row, 0), max(index.col, 0)
        bottom = min(index.row + size, scene.shape[0])
        right = min(index.col + size, scene.shape[1])
        if top < bottom and left < right:
            inside = np.s_[
                top - index.row : bottom - index.row, left - index.col : right - index.col
            ]
            geobox = scene.geobox[top:bottom, left:right]
            known = read_sound(reader, top, left, *geobox.shape)
            valid[inside] = known.valid
            if self.region is not None:
                valid[inside] &= self.region.mask(geobox)
            image[:, *inside] = np.where(valid[inside], known.pixels, 0)
            mask[inside] = self.labels.on_grid(geobox)
        mask[~valid] = unknown
        return {
            "image": torch.from_numpy(image),
            "valid": torch.from_numpy(valid),
            "mask": torch.from_numpy(mask),
        }
