"""The figures of a study, the protocol's as defaults."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from sscl_geo.errors import ConfigError
from sscl_geo.studies.patch_grid import Order
from sscl_geo.tasks.methods import METHODS, method_options
from sscl_geo.trainer_options import Precision

TrainedDecoder = Literal["unet", "unet++", "fpn", "deeplabv3+", "upernet", "segformer", "linear"]
"""Segmentation models that learn by steps."""

START_RANDOM, START_IMAGENET = "random", "imagenet"


@dataclass(frozen=True)
class StudyOptions:
    """What a study does. Defaults are those of the limited-label protocol of GLCNet.

    Attributes:
        rows: where each row of the table starts: ``random``, ``imagenet``, a method of pretraining
            (from random), or ``imagenet+METHOD`` (pretraining goes on from ImageNet).
        label_share: share of the training patches that are labelled.
        val_share: share of the training patches by which the best epoch is chosen.
        seeds: seeds of weights and batches; where labelled patches are drawn, of the draw too.
        pretrain_seeds: seeds of pretraining; each gives an encoder for each of ``seeds``.
        labels: kind of label files to train and validate on; the dataset's usual one if None.
        test_labels: kind of label files to test on; that of ``labels`` if None.
        clutter: whether the optional class of a dataset (ISPRS: clutter) counts.
        patch_size: side of a labelled patch in pixels; the dataset's if None.
        patch_order: how the protocol's numbers of patches run through a tile.
        encoder: name of the encoder.
        decoder: segmentation model.
        loss: see :class:`~sscl_geo.losses.segmentation.SegmentationLoss`.
        epochs: passes over the labelled patches.
        batch_size: labelled patches a step.
        lr: learning rate of Adam.
        lr_decay: factor of the learning rate from one epoch to the next.
        weight_decay: Adam's L2 penalty.
        brightness: greatest shift of a training patch, in standard deviations.
        contrast: greatest change of its contrast, as a share.
        pretrain_steps: optimiser steps of pretraining.
        pretrain_batch: pairs a step.
        pretrain_patch: side of a view in pixels.
        pretrain_lr: greatest learning rate of pretraining.
        method_options: further options of the methods, see
            :func:`~sscl_geo.tasks.methods.build_task`; a row whose method has no such option goes
            without. What is pretrained with ``pixel_factors`` is fine-tuned with them.
        imagenet_weights: file of ImageNet weights of the encoder; fetched if None.
        boundary_tolerance: of boundary F1, in pixels.
        test_tiles: how many tiles of the test part to look at; all if None. Figures of fewer are no
            result of the protocol.

    Raises:
        ConfigError: if there is no such row, a row or seed repeats, no row's method has an option,
            or a number is out of range.
    """

    rows: tuple[str, ...] = ("random", "imagenet", "sscl")
    label_share: float = 0.01
    val_share: float = 0.01
    seeds: tuple[int, ...] = (0, 1, 2)
    pretrain_seeds: tuple[int, ...] = (0,)
    labels: str | None = None
    test_labels: str | None = None
    clutter: bool = True
    patch_size: int | None = None
    patch_order: Order = "row"
    encoder: str = "resnet50"
    decoder: TrainedDecoder = "deeplabv3+"
    loss: str = "ce"
    epochs: int = 150
    batch_size: int = 16
    lr: float = 1e-4
    lr_decay: float = 0.98
    weight_decay: float = 1e-5
    brightness: float = 0.1
    contrast: float = 0.1
    pretrain_steps: int = 20_000
    pretrain_batch: int = 64
    pretrain_patch: int = 256
    pretrain_lr: float = 1e-3
    method_options: Mapping[str, Any] = field(default_factory=dict)
    imagenet_weights: str | None = None
    boundary_tolerance: float = 2.0
    test_tiles: int | None = None

    def __post_init__(self) -> None:
        for row in self.rows:
            if row not in (START_RANDOM, START_IMAGENET) and _method(row) not in METHODS:
                raise ConfigError(
                    f"There is no row {row!r}; choose random, imagenet, a method "
                    f"({', '.join(METHODS)}) or imagenet+METHOD."
                )
        known = {name for row in self.rows for name in self._options_of(row)}
        if unknown := sorted(set(self.method_options) - known):
            raise ConfigError(
                f"No row's method has the option {unknown[0]}; the rows are {', '.join(self.rows)}."
            )
        for name in ("rows", "seeds", "pretrain_seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ConfigError(f"The {name} of the study are {values}; give each one once.")
        least = {"epochs": 1, "batch_size": 2, "pretrain_steps": 1, "pretrain_batch": 2}
        for name, at_least in least.items():
            if getattr(self, name) < at_least:
                raise ConfigError(
                    f"The study has {name} {getattr(self, name)}; give at least {at_least}."
                )
        if self.test_tiles is not None and self.test_tiles < 1:
            raise ConfigError("The study tests on no tile; give at least 1.")

    def options_of(self, row: str) -> dict[str, Any]:
        """Those of ``method_options`` that the method of a row has."""
        known = self._options_of(row)
        return {name: value for name, value in self.method_options.items() if name in known}

    def _options_of(self, row: str) -> set[str]:
        return method_options(_method(row)) if _method(row) in METHODS else set()

    def quick(self) -> "StudyOptions":
        """The same with a small encoder and a few steps: to see that it runs, not how good it is.

        One tile is tested, with one seed.
        """
        return replace(
            self,
            encoder="resnet18",
            epochs=min(self.epochs, 2),
            batch_size=min(self.batch_size, 4),
            seeds=self.seeds[:1],
            pretrain_seeds=self.pretrain_seeds[:1],
            pretrain_steps=min(self.pretrain_steps, 2),
            pretrain_batch=min(self.pretrain_batch, 4),
            pretrain_patch=min(self.pretrain_patch, 64),
            test_tiles=1,
        )

    def identity(self) -> dict[str, Any]:
        """What must stay the same for results to belong together: all but rows and seeds."""
        several = ("rows", "seeds", "pretrain_seeds", "imagenet_weights")
        return {name: value for name, value in asdict(self).items() if name not in several}


def _method(row: str) -> str:
    return row.removeprefix(f"{START_IMAGENET}+")


@dataclass(frozen=True)
class Machine:
    """How a study runs, apart from what it finds.

    Attributes:
        accelerator: device kind: ``auto``, ``cpu``, ``gpu``, ``mps``.
        precision: of pretraining, see :class:`~sscl_geo.trainer_options.TrainerOptions`;
            fine-tuning is float32.
        num_workers: reading processes.
        cache: folder on a local disk for decoded copies of the tiles in pretraining.
    """

    accelerator: str = "auto"
    precision: Precision = "auto"
    num_workers: int = 0
    cache: str | None = None
