"""Patches of tiles with their labels, read from the files as they are."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.windows import Window
from torch import Tensor
from torch.utils.data import Dataset

from sscl_geo.classes import IGNORE_INDEX, ClassTable
from sscl_geo.errors import BandError, LabelError, SceneError
from sscl_geo.studies.choice import Place
from sscl_geo.studies.field_dataset import FieldDataset, Tile
from sscl_geo.studies.label_codes import decode_colors, decode_values
from sscl_geo.studies.patch_grid import PatchGrid


class RawPatch(NamedTuple):
    """A patch as it is kept in memory.

    Attributes:
        image: (bands, size, size) as in the file, 0 beyond the tile.
        valid: (size, size), whether the tile has this pixel.
        mask: (size, size), class indices, IGNORE_INDEX where there is no label.
    """

    image: NDArray[np.generic]
    valid: NDArray[np.bool_]
    mask: NDArray[np.uint8]


class TilePatches(Dataset[dict[str, Tensor]]):
    """Patches at given places, with the keys of :class:`~sscl_geo.datasets.LabelledPatches`.

    Files are opened anew for each patch: no handle survives a fork. Patches that were read are kept
    as far as ``keep`` allows, since training comes back to each of the few that are labelled.

    Args:
        dataset: what the files mean.
        tiles: the tiles.
        grids: grid of each tile.
        places: the patches.
        classes: classes that count.
        keep: bytes to keep patches in, in each reading process.
    """

    def __init__(
        self,
        dataset: FieldDataset,
        tiles: Sequence[Tile],
        grids: Sequence[PatchGrid],
        places: Sequence[Place],
        classes: ClassTable,
        keep: int = 2**30,
    ) -> None:
        self.dataset = dataset
        self.tiles = tuple(tiles)
        self.grids = tuple(grids)
        self.places = tuple(places)
        self.classes = classes
        self._room = keep
        self._kept: dict[int, RawPatch] = {}

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Read a patch: ``image`` float32, raw, ``valid`` bool, ``mask`` int64.

        Raises:
            SceneError: if a file is damaged.
            BandError: if the image has other bands than the dataset's.
            LabelError: if the labels are not those of the dataset, or of another size.
        """
        patch = self._kept.get(index) or self._read(index)
        return {
            "image": torch.from_numpy(patch.image.astype(np.float32)),
            "valid": torch.from_numpy(patch.valid),
            "mask": torch.from_numpy(patch.mask.astype(np.int64)),
        }

    def _read(self, index: int) -> RawPatch:
        place = self.places[index]
        tile, grid = self.tiles[place.tile], self.grids[place.tile]
        row, col = grid.origin(place.number)
        height, width = min(grid.size, tile.shape[0] - row), min(grid.size, tile.shape[1] - col)
        image = read_image(self.dataset, tile, Window(col, row, width, height))  # ty: ignore[too-many-positional-arguments]
        mask = read_labels(self.dataset, tile, self.classes, Window(col, row, width, height))  # ty: ignore[too-many-positional-arguments]
        beyond = ((0, grid.size - height), (0, grid.size - width))
        patch = RawPatch(
            np.pad(image, ((0, 0), *beyond)),
            np.pad(np.ones((height, width), bool), beyond),
            np.pad(mask, beyond, constant_values=IGNORE_INDEX),
        )
        size = sum(array.nbytes for array in patch)
        if size <= self._room:
            self._room -= size
            self._kept[index] = patch
        return patch


def read_image(dataset: FieldDataset, tile: Tile, window: Window) -> NDArray[np.generic]:
    """Read a window of an image, all bands, as it is.

    A fourth band that a file calls alpha, as Potsdam's are at times, is a band like the others.
    """
    pixels, shape = _read(tile.image, window)
    if len(pixels) != len(dataset.bands):
        raise BandError(
            f"{tile.image} has {len(pixels)} bands; give the files of {dataset.title} with "
            f"{', '.join(dataset.bands)}."
        )
    if shape != tile.shape:
        raise SceneError(f"{tile.image} has changed while it was used; start again.")
    return pixels


def read_labels(
    dataset: FieldDataset, tile: Tile, classes: ClassTable, window: Window
) -> NDArray[np.uint8]:
    """Read a window of labels as class indices, IGNORE_INDEX where there are none."""
    pixels, shape = _read(tile.labels, window)
    if shape != tile.shape:
        raise LabelError(
            f"{tile.labels} has {shape[0]} x {shape[1]} pixels but its image has "
            f"{tile.shape[0]} x {tile.shape[1]}; give the files of one release."
        )
    if dataset.coding == "colors":
        return decode_colors(pixels, classes, tile.labels)  # ty: ignore[invalid-argument-type]
    return decode_values(pixels, classes, dataset.ignored_values, dataset.classes, tile.labels)


def _read(path: Path, window: Window) -> tuple[NDArray[np.generic], tuple[int, int]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as source:
                return source.read(window=window), (int(source.height), int(source.width))
    except RasterioIOError as error:
        raise SceneError(f"Cannot read {path}, which is damaged; fetch it again.") from error
