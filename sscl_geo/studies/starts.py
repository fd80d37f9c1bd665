"""Where a row of a study starts: from random weights, from ImageNet's, or from pretraining."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sscl_geo.bundle import load_bundle
from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.errors import ConfigError, SkippedRowWarning
from sscl_geo.io.statistics import band_statistics
from sscl_geo.io.units import BandUnits, common_units
from sscl_geo.models.encoders import build_encoder
from sscl_geo.pretraining import pretrain
from sscl_geo.studies.field_dataset import FieldDataset
from sscl_geo.studies.options import START_IMAGENET, START_RANDOM, Machine, StudyOptions
from sscl_geo.trainer_options import TrainerOptions


@dataclass(frozen=True)
class Start:
    """Where the encoder of a fine-tuning starts, and how its input is scaled.

    Attributes:
        row: row of the study.
        mean: mean of each band over the training tiles, raw units.
        std: standard deviation of each band.
        units: units of the training tiles, in which these are.
        encoder: bundle of the pretrained encoder, or None.
        weights: name or file of other weights, or None.
        pretrain_seed: seed of pretraining, or None.
    """

    row: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    units: BandUnits | None
    encoder: Path | None = None
    weights: str | None = None
    pretrain_seed: int | None = None

    @property
    def name(self) -> str:
        """The row, and the seed of its pretraining where there was one."""
        return self.row if self.pretrain_seed is None else f"{self.row}-p{self.pretrain_seed}"


def find_starts(
    row: str,
    dataset: FieldDataset,
    scenes: Sequence[Path],
    folder: Path,
    options: StudyOptions,
    machine: Machine,
) -> list[Start]:
    """Get the encoders of a row, pretraining those that are not there yet.

    Args:
        row: a row of the study.
        dataset: the dataset.
        scenes: training tiles with a grid; no other tile is seen.
        folder: where encoders are kept. Pretraining that was interrupted goes on there.
        options: figures of the study.
        machine: how it runs.

    Returns:
        one for each seed of pretraining; one for a row without; none, with a warning, if ImageNet's
        weights cannot be had.
    """
    weights = None
    if row.startswith(START_IMAGENET):
        weights = options.imagenet_weights or START_IMAGENET
        try:
            build_encoder(options.encoder, len(dataset.bands), weights)
        except ConfigError as error:
            warnings.warn(SkippedRowWarning(f"The row {row} is left out: {error}"), stacklevel=2)
            return []
    if row in (START_RANDOM, START_IMAGENET):
        tiles = SceneDataset(list(scenes)).scenes
        found = band_statistics(tiles)
        return [Start(row, found.mean, found.std, common_units(tiles), weights=weights)]
    starts = []
    for seed in options.pretrain_seeds:
        out = folder / f"{row}-p{seed}.safetensors"
        if not out.is_file():
            pretrain(
                scenes,
                out=out,
                run=out.with_suffix(".run"),
                method=row.removeprefix(f"{START_IMAGENET}+"),
                encoder_name=options.encoder,
                steps=options.pretrain_steps,
                batch_size=options.pretrain_batch,
                patch_size=options.pretrain_patch,
                lr=options.pretrain_lr,
                num_workers=machine.num_workers,
                seed=seed,
                task_options={"weights": weights, **options.options_of(row)},
                trainer_options=TrainerOptions(
                    accelerator=machine.accelerator, precision=machine.precision
                ),
                loggers=(),
                preset=dataset.preset,
                cache=machine.cache,
            )
        bundle = load_bundle(out, kind="encoder")
        starts.append(Start(row, bundle.mean, bundle.std, bundle.units, out, pretrain_seed=seed))
    return starts
