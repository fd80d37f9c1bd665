"""A scene of the study, cut into parts that share no ground."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import geopandas as gpd
import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from torch import Tensor

from experiments.few_labels.config import SceneConfig, StudyConfig
from sscl_geo.classes import IGNORE_INDEX, ClassTable
from sscl_geo.demo.sample import north_carolina
from sscl_geo.errors import BandError
from sscl_geo.io.atomic import atomic_path, ensure_folder
from sscl_geo.io.labels import open_labels
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import open_scene
from sscl_geo.splits import draw_label_shares, part_mask, spatial_blocks, write_blocks

SHARES = {"train": 0.6, "val": 0.15, "test": 0.25}
BUFFER = 4
"""Pixels that are left out between parts, of the training side."""


@dataclass(frozen=True, eq=False)
class Ground:
    """A scene, its labels, and which pixels are for what.

    Attributes:
        name: of the scene.
        path: of the scene's file.
        train_path: copy of the scene that has no data outside the training part, so that
            pretraining cannot see anything else.
        geobox: the pixel grid.
        pixel_size: width and height of a pixel in map units.
        bands: what each band is.
        image: float32 of shape (C, H, W), standardised by the training part; 0 where not valid.
        mean: mean of each band over the training part.
        std: standard deviation of each band there.
        labels: class indices (H, W), IGNORE_INDEX without label.
        classes: the classes.
        parts: bool of shape (H, W) by part: ``train``, ``val``, ``test``.
        blocks: outlines of the parts.
        merged: for each class index its number among the merged classes.
    """

    name: str
    path: Path
    train_path: Path
    geobox: GeoBox
    pixel_size: tuple[float, float]
    bands: tuple[str, ...]
    image: Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    labels: NDArray[np.uint8]
    classes: ClassTable
    parts: dict[str, NDArray[np.bool_]]
    blocks: gpd.GeoDataFrame
    merged: NDArray[np.int64]

    @classmethod
    def prepare(cls, scene: SceneConfig, folder: Path) -> Self:
        """Read a scene, deal its blocks, and write what pretraining may see.

        Args:
            scene: what to read.
            folder: where blocks (GeoPackage) and the training copy go.

        Raises:
            BandError: if the scene has another number of bands than the config says.
            SSCLGeoError: whatever is wrong with the files.
        """
        sample = None if scene.scene else north_carolina()
        path = Path(scene.scene) if sample is None else sample.scene
        source = open_scene(path)
        if len(source.bands) != len(scene.bands):
            raise BandError(
                f"{path} has {len(source.bands)} bands but the config names {len(scene.bands)}; "
                "name each band of the scene."
            )
        table = None if sample is None else sample.classes
        reference = scene.labels if sample is None else sample.reference
        known = open_labels(str(reference), table)
        with SceneReader(source) as reader:
            pixels, valid = reader.read(0, 0, *source.shape)
        labels = np.where(valid, known.on_grid(source.geobox), IGNORE_INDEX).astype(np.uint8)
        blocks = _whole_blocks(source.geobox, scene.block_size, labels)
        write_blocks(blocks, ensure_folder(folder) / f"{scene.name}_blocks.gpkg")
        parts = {part: part_mask(blocks, source.geobox, part) & valid for part in SHARES}
        train_path = folder / f"{scene.name}_train.tif"
        _write_part(path, train_path, parts["train"], scene.bands)
        seen = pixels[:, parts["train"]].astype(np.float64)
        mean, std = seen.mean(axis=1), seen.std(axis=1)
        image = (pixels - mean[:, None, None]) / std[:, None, None]
        return cls(
            name=scene.name,
            path=path,
            train_path=train_path,
            geobox=source.geobox,
            pixel_size=source.pixel_size,
            bands=scene.bands,
            image=torch.from_numpy(np.where(valid, image, 0).astype(np.float32)),
            mean=tuple(mean.tolist()),
            std=tuple(std.tolist()),
            labels=labels,
            classes=known.classes,
            parts=parts,
            blocks=blocks,
            merged=_merged(known.classes, scene.merge),
        )

    def labels_of(self, part: str) -> NDArray[np.uint8]:
        """Class indices (H, W) of a part, IGNORE_INDEX elsewhere."""
        return np.where(self.parts[part], self.labels, IGNORE_INDEX)

    def share(self, config: StudyConfig, drawn: str, share: float, seed: int) -> NDArray[np.uint8]:
        """Class indices (H, W) of a share of the training labels, IGNORE_INDEX elsewhere."""
        shares = draw_label_shares(
            self.labels_of("train"),
            config.shares,
            drawn="patch" if drawn == "patch" else "pixel",
            patch_size=config.label_patch,
            seed=seed,
        )
        return shares.take(share)


def _whole_blocks(geobox: GeoBox, size: int, labels: NDArray[np.uint8]) -> gpd.GeoDataFrame:
    """Blocks of one size that may reach beyond the scene: each counts the same when dealt."""
    rest = [(0, -length % size) for length in labels.shape]
    labels = np.pad(labels, rest, constant_values=IGNORE_INDEX)
    grid = GeoBox(labels.shape, geobox.affine, geobox.crs)
    return spatial_blocks(grid, size, SHARES, seed=0, labels=labels, buffer=BUFFER)


def _merged(classes: ClassTable, groups: tuple[tuple[int, ...], ...]) -> NDArray[np.int64]:
    """Number of each class among merged ones; the classes themselves without groups."""
    if not groups:
        return np.arange(len(classes))
    number = {value: i for i, group in enumerate(groups) for value in group}
    return np.array([number.get(c.value, len(groups)) for c in classes])


def _write_part(path: Path, target: Path, keep: NDArray[np.bool_], bands: tuple[str, ...]) -> None:
    """Copy a raster with nodata outside a mask."""
    with rasterio.open(path) as source:
        profile, values = source.profile, source.read()
    values[:, ~keep] = profile["nodata"]
    profile.update(driver="GTiff", tiled=True, blockxsize=256, blockysize=256, compress="lzw")
    with atomic_path(target) as temporary, rasterio.open(temporary, "w", **profile) as copy:
        copy.write(values)
        copy.descriptions = bands
