"""Labelled patches for fine-tuning, as a Lightning data module."""

import warnings
from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torchgeo.datamodules.geo import BaseDataModule

from sscl_geo.bundle import load_bundle
from sscl_geo.classes import ClassTable
from sscl_geo.datamodules.loader_options import check_loader_options
from sscl_geo.datasets.labelled_patches import LabelledPatches
from sscl_geo.datasets.labels import LabelDataset
from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.errors import ConfigError, NoValidationWarning, SceneError
from sscl_geo.io.digest import digest
from sscl_geo.io.fingerprint import fingerprint
from sscl_geo.io.labels import LabelOptions, check_overlap
from sscl_geo.io.region import Region
from sscl_geo.io.statistics import band_statistics
from sscl_geo.io.units import BandUnits
from sscl_geo.samplers.held_out import held_out_blocks
from sscl_geo.samplers.labelled_patches import (
    LabelCells,
    LabelledPatchSampler,
    count_labels,
    covering_patches,
)
from sscl_geo.splits import read_blocks
from sscl_geo.transforms.patches import PatchAugmentation
from sscl_geo.transforms.radiometric import Preset, radiometric_augmentation
from sscl_geo.transforms.seeding import seed_all

_PATCHES_FOR_STATISTICS = 64

_NO_VALIDATION = (
    "The labels {} have no labelled pixel with data in the 'val' blocks, so that training goes "
    "without validation; hold out some of the labelled ground with val_share (--val-share)."
)


class LabelledDataModule(BaseDataModule):
    """Draw, read and augment patches where labels are.

    Batches hold ``image`` float32 (B, C, H, W), normalised, 0 where not valid; ``valid`` bool
    (B, H, W); ``mask`` int64 (B, H, W), class indices, 255 where there is no label (65535 where
    there are more than 255 classes).

    Works from Python and from ``torchgeo fit`` with
    ``class_path: sscl_geo.datamodules.labelled.LabelledDataModule``, there also with TorchGeo's own
    ``SemanticSegmentation`` (``ignore_index: 255``).

    Args:
        scenes: files, folders or patterns.
        labels: file of labels: a class raster, points, lines or polygons.
        classes: class table, or a CSV, YAML or QML file of it; from the labels if None.
        column: column of a vector file that holds the class; chosen if None.
        label_options: how the labels are read otherwise: layers, remapping, resampling, overlaps.
        within: blocks (see :func:`sscl_geo.splits.spatial_blocks`), or a file of them. Training
            then sees nothing, image or label, outside the blocks of the part ``train``, and
            validation nothing outside ``val``; without labels there, there is no validation.
            Everything is for training if None.
        val_share: share of the labelled ground to hold out for validation, see
            :func:`~sscl_geo.samplers.held_out.held_out_blocks`: blocks of the size of a patch, a
            quarter of a patch away from training ground. Of ``within`` it is a share of the part
            ``train``, and stands in for the part ``val``.
        encoder_bundle: bundle to take the statistics of the bands from.
        mean: mean of each band, in raw units; measured if None.
        std: standard deviation of each band, in raw units; measured if None.
        bands: names of the bands to read; all if None.
        patch_size: height and width of a patch in pixels.
        batch_size: patches in a batch.
        length: training patches in an epoch.
        class_balanced: give each class, not each labelled pixel, the same chance to be drawn.
        zoom: least and greatest size of a pixel in training, in pixels of the scene.
        rotation: greatest rotation in training, in degrees, beside flips and quarter turns.
        brightness: greatest shift in training, in standard deviations.
        contrast: greatest change of contrast in training, as a share.
        strength: strength of the radiometric changes that pretraining knows, in place of brightness
            and contrast; 0 for these.
        preset: kind of images that ``strength`` is for: ``"optical"``, ``"rgb"``, ``"sar"``
            (intensities) or ``"sar_db"`` (decibels).
        num_workers: reading processes.
        seed: seed of the draws.
    """

    def __init__(
        self,
        scenes: Sequence[str] | str,
        labels: str,
        classes: str | ClassTable | None = None,
        column: str | None = None,
        label_options: LabelOptions | None = None,
        within: str | gpd.GeoDataFrame | None = None,
        encoder_bundle: str | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        bands: Sequence[str] | None = None,
        patch_size: int = 128,
        batch_size: int = 16,
        length: int = 1600,
        class_balanced: bool = True,
        zoom: tuple[float, float] = (1.0, 1.0),
        rotation: float = 0.0,
        brightness: float = 0.1,
        contrast: float = 0.1,
        strength: float = 0.0,
        preset: Preset = "optical",
        val_share: float = 0.0,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        check_loader_options(patch_size, num_workers)
        super().__init__(SceneDataset, batch_size, num_workers)
        # Checkpoints hold plain values only; what these say is in the digest.
        self.save_hyperparameters(ignore=["classes", "label_options", "within"])
        self._classes, self._label_options, self._within = classes, label_options, within
        self._is_set_up = False
        self._batches_done = 0

    def state_dict(self) -> dict[str, int]:
        """How many batches the training has seen, for a checkpoint."""
        if self.trainer is None:
            return {"batches_done": 0}
        return {"batches_done": self.trainer.fit_loop.epoch_loop.batch_progress.total.ready}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on where the training of a checkpoint was: the next patches are what it would draw."""
        self._batches_done = state_dict["batches_done"]

    def setup(self, stage: str) -> None:
        """Open scenes and labels, count the labels, and make samplers and augmentation.

        Raises:
            SSCLGeoError: as scenes, labels, blocks and bundle do.

        Warns:
            NoValidationWarning: if no label lies in the blocks for validation.
        """
        if self._is_set_up:
            return
        h = self.hparams
        dataset = SceneDataset(h["scenes"], h["bands"])
        labels = LabelDataset(h["labels"], self._classes, h["column"], options=self._label_options)
        self.scenes, self.bands, self.classes = dataset.scenes, dataset.bands, labels.classes
        if not any(labels.overlaps(scene.geobox) for scene in self.scenes):
            check_overlap(labels, self.scenes[0].geobox, self.scenes[0].path)
        size, bands = h["patch_size"], h["bands"]
        region, held = self._regions(labels)
        patches = LabelledPatches(self.scenes, labels, size, region, bands)
        cells = count_labels(self.scenes, labels, max(1, size // 4), region, bands)
        self.train_dataset, self._counted = patches, [cells]
        self.sampler = LabelledPatchSampler(
            cells, self.scenes, size, h["length"], h["class_balanced"], h["seed"]
        )
        if held is not None:
            val_cells = count_labels(self.scenes, labels, size, held, bands, may_be_none=True)
            self.val_patches = covering_patches(val_cells)
            self._counted = [cells, val_cells]
            if self.val_patches:
                self.val_dataset = LabelledPatches(self.scenes, labels, size, held, bands)
            else:
                warnings.warn(NoValidationWarning(_NO_VALIDATION.format(labels.path)), stacklevel=2)
        self.class_counts = cells.counts.sum(axis=0)
        self.band_mean, self.band_std = self._statistics(patches, cells)
        statistics, ignored = (self.band_mean, self.band_std), self.classes.ignore_index
        changes = radiometric_augmentation(h["strength"], h["preset"], *statistics)
        self.train_aug = PatchAugmentation(
            *statistics,
            zoom=h["zoom"],
            rotation=h["rotation"],
            brightness=h["brightness"],
            contrast=h["contrast"],
            radiometric=changes if h["strength"] else None,
            ignore_index=ignored,
        )
        self.aug = PatchAugmentation(
            *statistics, moves=False, brightness=0, contrast=0, ignore_index=ignored
        )
        self._is_set_up = True

    def digests(self) -> dict[str, str]:
        """What would change if scenes, labels, classes or blocks did, for who goes on later."""
        self.setup("fit")
        arrays = [a for c in self._counted for a in (c.scene, c.row, c.col, c.counts, *c.allowed)]
        return {
            "labels of digest": digest([repr(self.classes)], arrays),
            "scenes of digest": digest(map(fingerprint, self.scenes)),
        }

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Batches of random patches that hold labels."""
        self.setup("fit")
        epochs, batches = divmod(self._batches_done, max(1, len(self.sampler) // self.batch_size))
        self.sampler.set_epoch(epochs)
        self.sampler.skip(batches * self.batch_size)
        self._batches_done = 0
        return self._loader(self.train_dataset, self.sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader[dict[str, Tensor]] | list[Any]:
        """Batches that cover each labelled pixel of the part ``val`` once; none without blocks."""
        self.setup("validate")
        if self.val_dataset is None:
            return []
        return self._loader(self.val_dataset, self.val_patches, drop_last=False)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Normalise a batch on the device it is on; in training also augment it.

        For training, all generators are first seeded by (seed, rank, number of the batch), as
        :class:`~sscl_geo.datamodules.pairs.PairDataModule` does: a training that goes on after a
        break then draws what an unbroken one would.
        """
        if self.trainer is None:
            return batch
        augment = self.aug
        if self.trainer.training:
            number = self.trainer.fit_loop.epoch_loop.batch_progress.total.ready
            seed_all(self.hparams["seed"], self.trainer.global_rank, number)
            augment = self.train_aug
        return augment.to(batch["image"].device)(batch)  # ty: ignore[missing-attribute]

    def _loader(self, dataset: Any, sampler: Any, *, drop_last: bool) -> DataLoader[Any]:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            drop_last=drop_last,
            pin_memory=bool(self.trainer and self.trainer.strategy.root_device.type == "cuda"),
            persistent_workers=self.num_workers > 0,
        )

    def _regions(self, labels: LabelDataset) -> tuple[Region | None, Region | None]:
        """Ground of training, everything if None, and of validation, none if None."""
        h, blocks, inside = self.hparams, self._within, None
        blocks = read_blocks(blocks) if isinstance(blocks, str) else blocks
        if h["val_share"]:
            inside = None if blocks is None else Region(blocks, "train")
            blocks = held_out_blocks(
                self.scenes,
                labels,
                h["val_share"],
                block_size=h["patch_size"],
                buffer=h["patch_size"] // 4,
                seed=h["seed"],
                region=inside,
                bands=h["bands"],
            )
        if blocks is None:
            return None, None
        is_held = (blocks["part"] == "val").any()
        return Region(blocks, "train", inside), Region(blocks, "val", inside) if is_held else None

    def _statistics(
        self, patches: LabelledPatches, cells: LabelCells
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each band: given, a bundle's, or measured."""
        h = self.hparams
        if h["mean"] is not None and h["std"] is not None:
            mean, std = tuple(h["mean"]), tuple(h["std"])
        elif h["encoder_bundle"] is not None:
            bundle = load_bundle(h["encoder_bundle"], kind="encoder")
            scene = self.scenes[0]
            bundle.check_bands(self.bands, scene.path)
            bundle = bundle.in_units(BandUnits.of(scene, self.bands), scene.path)
            mean, std = bundle.mean, bundle.std
        elif patches.region is None:
            found = band_statistics(self.scenes, h["bands"], seed=h["seed"])
            mean, std = found.mean, found.std
        else:
            mean, std = _patch_statistics(patches, cells, h["seed"])
        if not len(mean) == len(std) == len(self.bands):
            raise ConfigError(
                f"There are {len(mean)} means and {len(std)} standard deviations for "
                f"{len(self.bands)} bands; give one of each for each band."
            )
        return mean, std


def _patch_statistics(
    patches: LabelledPatches, cells: LabelCells, seed: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Statistics of training patches alone: those of the scene would know its test blocks."""
    sampler = LabelledPatchSampler(
        cells, patches.scenes, patches.patch_size, _PATCHES_FOR_STATISTICS, seed=seed
    )
    some = [patches[index] for index in sampler]
    pixels = torch.cat([p["image"][:, p["valid"]] for p in some], dim=1).double()
    if pixels.shape[1] == 0:
        raise SceneError(
            f"{patches.scenes[0].path} has no valid pixel near the labels; check its nodata value."
        )
    return tuple(pixels.mean(dim=1).tolist()), tuple(pixels.std(dim=1, correction=0).tolist())
