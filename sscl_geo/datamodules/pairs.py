"""Pairs of views for pretraining, as a Lightning data module."""

import warnings
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from torch.utils.data import DataLoader
from torchgeo.datamodules.geo import BaseDataModule
from torchgeo.datasets import GeoDataset
from torchgeo.datasets.utils import Sample

from sscl_geo.datamodules.loader_options import check_loader_options
from sscl_geo.datasets.geodataset import GeoDatasetScenes
from sscl_geo.datasets.pair_batch import collate_pairs
from sscl_geo.datasets.pairs import PairDataset
from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.errors import ConfigError, ConstantBandWarning, TrainingError
from sscl_geo.geometry.footprint import OverlapOf
from sscl_geo.io.cloud_mask import CloudMask
from sscl_geo.io.statistics import BandStatistics, band_statistics
from sscl_geo.progress import is_main_rank
from sscl_geo.samplers.overlap_pairs import OverlapPairSampler
from sscl_geo.transforms.geometric import RandomWarp
from sscl_geo.transforms.radiometric import Preset, radiometric_augmentation
from sscl_geo.transforms.seeding import seed_all
from sscl_geo.transforms.views import ViewAugmentation


class PairDataModule(BaseDataModule):
    """Draw, read and augment pairs from raw scenes.

    Works from Python and from ``torchgeo fit`` with
    ``class_path: sscl_geo.datamodules.pairs.PairDataModule``.

    Args:
        scenes: files, folders or patterns; or a :class:`~sscl_geo.datasets.scenes.SceneDataset`,
            with options of its own; or any TorchGeo dataset of images, also ``a | b`` and
            ``a & b``, read as :class:`~sscl_geo.datasets.geodataset.GeoDatasetScenes` does.
        bands: names of the bands; all if None.
        patch_size: height and width of a view in pixels.
        batch_size: pairs in a batch, on each device.
        length: pairs in an epoch, over all devices.
        overlap: least and greatest share of ground that two views have in common, 0 to 1.
        overlap_of: share of the ``"smaller"`` view's area, or of the ``"union"``.
        zoom: least and greatest ground sampling distance of a view, in pixels of its scene.
        rotation: greatest rotation of a view, in degrees on the ground.
        max_days_apart: views may come from two dates of one place this far apart; from one scene if
            None.
        aoi: vector file of the area of interest, in any CRS; everywhere if None.
        dates: first and last date of the scenes to use, such as ``("2018", "2020-06")``.
        clouds: cloud mask that scenes come with: ``"sentinel2_scl"`` or ``"landsat_qa"``.
        min_valid: least share of valid pixels in each view, 0 to 1.
        strength: strength of the radiometric changes; 1 is the default chain, 0 none.
        preset: radiometric changes for ``"optical"`` images, ``"rgb"``, ``"sar"`` (intensities) or
            ``"sar_db"`` (decibels).
        num_workers: reading processes.
        pairs_per_cell: pairs drawn at each visit to a cell, which is decoded once for them.
        cell_cache: greatest memory for decoded cells in each reading process, in bytes.
        cache: folder on a local disk for decoded copies of the scenes; none if None.
        seed: seed of the draw.
        strict: True makes an unreadable scene an error instead of a warning.
    """

    def __init__(
        self,
        scenes: Sequence[str] | str | GeoDataset,
        bands: Sequence[str] | None = None,
        patch_size: int = 128,
        batch_size: int = 32,
        length: int = 4096,
        overlap: tuple[float, float] = (0.3, 1.0),
        overlap_of: OverlapOf = "smaller",
        zoom: tuple[float, float] = (0.7, 1.5),
        rotation: float = 0.0,
        max_days_apart: float | None = None,
        aoi: str | None = None,
        dates: tuple[str | None, str | None] | None = None,
        clouds: Literal["sentinel2_scl", "landsat_qa"] | None = None,
        min_valid: float = 0.5,
        strength: float = 1.0,
        preset: Preset = "optical",
        num_workers: int = 0,
        pairs_per_cell: int = 16,
        cell_cache: int = 512 * 2**20,
        cache: str | None = None,
        seed: int = 0,
        strict: bool = False,
    ) -> None:
        check_loader_options(patch_size, num_workers)
        super().__init__(SceneDataset, batch_size, num_workers)
        # A dataset itself would end up in every checkpoint and log; its ground tells which it is.
        named = str(scenes) if isinstance(scenes, GeoDataset) else scenes
        self.save_hyperparameters(ignore=["scenes"])
        self.save_hyperparameters({"scenes": named})
        self._given = scenes
        self.scenes: SceneDataset | None = None
        self.statistics: BandStatistics | None = None
        self._batches_done = 0

    def state_dict(self) -> dict[str, int]:
        """Where in its epoch the training is, for a checkpoint."""
        if self.trainer is None:
            return {"batches_done": 0}
        # Not `completed`: a checkpoint is written before the batch that it follows counts as that.
        done = self.trainer.fit_loop.epoch_loop.batch_progress.current.processed  # ty: ignore[missing-attribute]
        return {"batches_done": done % max(1, len(self.sampler) // self.batch_size)}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on where the training of a checkpoint was: the next pairs are those it would draw."""
        self._batches_done = state_dict["batches_done"]

    def setup(self, stage: str) -> None:
        """Open the scenes, measure their bands, and make sampler and augmentation.

        Raises:
            TrainingError: if every band has one value everywhere.
            SSCLGeoError: as the scenes, the statistics and the sampler do.
        """
        if self.scenes is not None:
            return
        h = self.hparams
        days = h["max_days_apart"]
        scenes = _open(self._given, h)
        readers = [scenes.reader(number) for number in range(len(scenes.scenes))]
        self.statistics = band_statistics(readers, seed=h["seed"])
        _check_contrast(self.statistics)
        self.sampler = OverlapPairSampler(
            scenes,
            size=h["patch_size"],
            length=h["length"],
            overlap=h["overlap"],
            overlap_of=h["overlap_of"],
            zoom=h["zoom"],
            rotation=h["rotation"],
            min_valid=h["min_valid"],
            max_time_apart=None if days is None else timedelta(days=days),
            pairs_per_cell=h["pairs_per_cell"],
            cell_cache=h["cell_cache"],
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            seed=h["seed"],
        )
        self.augmentation = self.train_aug = ViewAugmentation(
            self.statistics.mean,
            self.statistics.std,
            RandomWarp(),
            radiometric_augmentation(
                h["strength"], h["preset"], self.statistics.mean, self.statistics.std
            ),
            shape=(h["patch_size"], h["patch_size"]),
            zoom=self.sampler.coarsest,
        )
        self.scenes = scenes

    def train_dataloader(self) -> DataLoader[Sample]:
        """Batches of pairs; see :class:`~sscl_geo.datasets.pairs.PairDataset` for their keys.

        Raises:
            TrainingError: if an epoch has fewer pairs than a batch.
        """
        if self.scenes is None:
            self.setup("fit")
        if len(self.sampler) < self.batch_size:
            raise TrainingError(
                f"An epoch of {len(self.sampler)} pairs on each device does not fill a batch of "
                f"{self.batch_size}; raise length or lower batch_size."
            )
        workers = self.num_workers
        self.sampler.skip(self._batches_done * self.batch_size)
        self._batches_done = 0
        pairs = PairDataset(
            self.scenes,  # ty: ignore[invalid-argument-type] - set up above
            self.hparams["patch_size"],
            cache=self.hparams["cache"],
            windows=True,
        )
        return DataLoader(
            pairs,
            batch_size=self.batch_size,
            sampler=self.sampler,
            num_workers=workers,
            collate_fn=collate_pairs,
            drop_last=True,
            pin_memory=bool(self.trainer and self.trainer.strategy.root_device.type == "cuda"),
            persistent_workers=workers > 0,
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Augment a batch on the device it is on.

        All generators are seeded by (seed, rank, number of the batch) first, so that what is drawn
        for a batch, here and in its training step, is the same after a break, and differs between
        ranks.
        """
        if self.trainer is None or not self.trainer.training:
            return batch
        number = self.trainer.fit_loop.epoch_loop.batch_progress.total.ready
        seed_all(self.hparams["seed"], self.trainer.global_rank, number)
        return self.augmentation.to(batch["image"].device)(batch)


def _check_contrast(statistics: BandStatistics) -> None:
    """Warn of bands of one value, and refuse scenes that have no others."""
    flat = [name for name, std in zip(statistics.bands, statistics.std, strict=True) if std == 0]
    if len(flat) == len(statistics.bands):
        raise TrainingError(
            "All pixels of the scenes that have data have the same value in every band, so that "
            "there is nothing to learn; check the files and their nodata values."
        )
    if flat and is_main_rank():
        warnings.warn(
            f"The scenes have the same value everywhere in the band {' and in '.join(flat)}, from "
            "which nothing can be learned; choose the other bands by name.",
            ConstantBandWarning,
            stacklevel=3,
        )


def _open(given: Sequence[str] | str | GeoDataset, options: Mapping[str, Any]) -> SceneDataset:
    """The scenes to draw from.

    Args:
        given: what they are made from.
        options: those of the data module.
    """
    clouds = options["clouds"]
    if not isinstance(given, GeoDataset):
        return SceneDataset(
            given,
            options["bands"],
            strict=options["strict"],
            dates=options["dates"],
            aoi=options["aoi"],
            clouds=None if clouds is None else getattr(CloudMask, clouds)(),
        )
    own = {"bands", "clouds"} | ({"dates", "aoi"} if isinstance(given, SceneDataset) else set())
    for name in sorted(own):
        if options[name] is not None:
            raise ConfigError(
                f"PairDataModule was given {name} beside a {type(given).__name__}, which has its "
                f"own; give {name} to the dataset."
            )
    if isinstance(given, SceneDataset):
        return given
    return GeoDatasetScenes(given, dates=options["dates"], aoi=options["aoi"])
