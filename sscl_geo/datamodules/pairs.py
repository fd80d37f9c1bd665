"""Pairs of views for pretraining, as a Lightning data module."""

from collections.abc import Sequence
from typing import Any

from torch.utils.data import DataLoader
from torchgeo.datamodules.geo import BaseDataModule
from torchgeo.datasets import stack_samples
from torchgeo.datasets.utils import Sample

from sscl_geo.datasets.pairs import PairDataset
from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.geometry.footprint import OverlapOf
from sscl_geo.io.statistics import BandStatistics, band_statistics
from sscl_geo.samplers.overlap_pairs import OverlapPairSampler
from sscl_geo.transforms.geometric import RandomWarp
from sscl_geo.transforms.radiometric import radiometric_augmentation
from sscl_geo.transforms.views import ViewAugmentation


class PairDataModule(BaseDataModule):
    """Draw, read and augment pairs from raw scenes.

    Works from Python and from ``torchgeo fit`` with
    ``class_path: sscl_geo.datamodules.pairs.PairDataModule``.

    Args:
        scenes: files, folders or patterns.
        bands: names of the bands; all if None.
        patch_size: height and width of a view in pixels.
        batch_size: pairs in a batch, on each device.
        length: pairs in an epoch, over all devices.
        overlap: least and greatest share of ground that two views have in common, 0 to 1.
        overlap_of: share of the ``"smaller"`` view's area, or of the ``"union"``.
        zoom: least and greatest ground sampling distance of a view, in pixels of its scene.
        rotation: greatest rotation of a view, in degrees on the ground.
        min_valid: least share of valid pixels in each view, 0 to 1.
        strength: strength of the radiometric changes; 1 is the default chain, 0 next to none.
        num_workers: reading processes.
        seed: seed of the draw.
        strict: True makes an unreadable scene an error instead of a warning.
    """

    def __init__(
        self,
        scenes: Sequence[str] | str,
        bands: Sequence[str] | None = None,
        patch_size: int = 128,
        batch_size: int = 32,
        length: int = 4096,
        overlap: tuple[float, float] = (0.3, 1.0),
        overlap_of: OverlapOf = "smaller",
        zoom: tuple[float, float] = (0.7, 1.5),
        rotation: float = 0.0,
        min_valid: float = 0.5,
        strength: float = 1.0,
        num_workers: int = 0,
        seed: int = 0,
        strict: bool = False,
    ) -> None:
        super().__init__(SceneDataset, batch_size, num_workers)
        self.save_hyperparameters()
        self.scenes: SceneDataset | None = None
        self.statistics: BandStatistics | None = None

    def setup(self, stage: str) -> None:
        """Open the scenes, measure their bands, and make sampler and augmentation.

        Raises:
            SSCLGeoError: as the scenes, the statistics and the sampler do.
        """
        if self.scenes is not None:
            return
        h = self.hparams
        scenes = SceneDataset(h["scenes"], h["bands"], strict=h["strict"])
        self.statistics = band_statistics(scenes.scenes, h["bands"], seed=h["seed"])
        self.augmentation = self.train_aug = ViewAugmentation(
            self.statistics.mean,
            self.statistics.std,
            RandomWarp(),
            radiometric_augmentation(h["strength"]),
        )
        self.sampler = OverlapPairSampler(
            scenes,
            size=h["patch_size"],
            length=h["length"],
            overlap=h["overlap"],
            overlap_of=h["overlap_of"],
            zoom=h["zoom"],
            rotation=h["rotation"],
            min_valid=h["min_valid"],
            seed=h["seed"],
        )
        self.scenes = scenes

    def train_dataloader(self) -> DataLoader[Sample]:
        """Batches of pairs; see :class:`~sscl_geo.datasets.pairs.PairDataset` for their keys."""
        if self.scenes is None:
            self.setup("fit")
        workers = self.num_workers
        return DataLoader(
            PairDataset(self.scenes, self.hparams["patch_size"]),  # ty: ignore[invalid-argument-type]
            batch_size=self.batch_size,
            sampler=self.sampler,
            num_workers=workers,
            collate_fn=stack_samples,
            drop_last=True,
            pin_memory=bool(self.trainer and self.trainer.strategy.root_device.type == "cuda"),
            persistent_workers=workers > 0,
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Augment a batch on the device it is on."""
        if self.trainer is None or not self.trainer.training:
            return batch
        return self.augmentation.to(batch["image"].device)(batch)
