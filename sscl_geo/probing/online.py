"""Trying features on labelled pixels while a training goes on."""

import math
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from sscl_geo.io.labels import open_labels
from sscl_geo.probing.classify import Probe
from sscl_geo.probing.pixels import ProbePixels, probe_miou


class PixelProbe(Callback):
    """Log ``train_probe_miou``: what a probe on the frozen encoder makes of labelled pixels.

    It tells apart what the loss does not: whether features get better for maps. It is measured
    before the first step too, which is what pretraining must beat, and takes nothing from the
    training: neither gradients nor random numbers. Labels of ground that the training sees are no
    labels of a test; use the figure to compare steps, not to report.

    Works with tasks that have ``encoder`` and ``dense_features``, and a data module that has
    ``scenes``, ``statistics`` and ``augmentation``, as
    :class:`~sscl_geo.datamodules.pairs.PairDataModule` has.

    Args:
        labels: file of labels of one of the scenes.
        every: optimiser steps between trials.
        kind: ``"linear"`` or ``"knn"``.
        column: column of a vector file that holds the class; chosen if None.
    """

    def __init__(
        self, labels: Path, every: int = 100, kind: Probe = "linear", column: str | None = None
    ) -> None:
        super().__init__()
        self.labels = labels
        self.every = every
        self.kind: Probe = kind
        self.column = column
        self._last = math.nan
        self._seen = -1

    def state_dict(self) -> dict[str, Any]:
        """The last figure, which stands until the next one."""
        return {"last": self._last, "seen": self._seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the figure of a checkpoint."""
        self._last, self._seen = state_dict["last"], state_dict["seen"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the pixels, and measure where the training starts.

        Raises:
            LabelError: if the labels cannot be used with the scenes.
        """
        data: Any = trainer.datamodule  # ty: ignore[missing-attribute]
        labels = open_labels(self.labels, column=self.column)
        self._classes = len(labels.classes)
        bands = data.hparams["bands"]
        size = data.hparams["patch_size"]
        self._pixels = ProbePixels.draw(data.scenes.scenes, labels, size, bands=bands)
        if trainer.global_step == 0:
            self._measure(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Measure where it is due, and log the last figure."""
        step = trainer.global_step
        if step != self._seen and (step % self.every == 0 or step == trainer.max_steps):
            self._measure(trainer, pl_module)
        pl_module.log("train_probe_miou", torch.tensor(self._last), batch_size=1)

    def _measure(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._seen = trainer.global_step
        if not trainer.is_global_zero:
            return
        task: Any = pl_module
        normalize = trainer.datamodule.augmentation.normalize  # ty: ignore[missing-attribute]

        def encode(image: Tensor, valid: Tensor) -> Tensor:
            return task.dense_features(normalize.to(image.device)(image, valid))

        task.encoder.eval()
        self._last = probe_miou(*self._pixels, encode, self._classes, self.kind, pl_module.device)
        task.encoder.train()
