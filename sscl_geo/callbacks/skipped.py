"""What a training could not read, in one sentence at its end."""

import warnings
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from sscl_geo.errors import SkippedPlaceWarning
from sscl_geo.progress import is_main_rank

_NAMED = 3


class SkippedPlaces(Callback):
    """Count the pairs that lay in damaged places, and say at the end in which scenes they lay.

    Each place that cannot be read is warned of when it is met, often by a reading process whose
    words are lost among others; the sum tells whether a scene should be fetched again. Works with
    batches of :class:`~sscl_geo.datasets.pairs.PairDataset`, and is silent with others.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start at zero."""
        scenes = getattr(trainer.datamodule, "scenes", None)  # ty: ignore[missing-attribute]
        self._paths = [scene.path for scene in getattr(scenes, "scenes", ())]
        # On the device, so that no step waits for a count.
        self._skipped = torch.zeros(len(self._paths), dtype=torch.long, device=pl_module.device)
        self._pairs = 0

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count the pairs of a batch."""
        if self._paths and "failed" in batch:
            self._pairs += len(batch["skipped"])
            self._skipped.index_add_(0, batch["failed"].clamp(min=0), batch["skipped"].long())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Warn, if anything was skipped."""
        skipped = trainer.strategy.reduce(self._skipped, reduce_op="sum")
        total = int(skipped.sum())
        if not total or not is_main_rank():
            return
        worst = sorted(zip(skipped.tolist(), self._paths, strict=True), reverse=True)
        bad = [f"{path} ({count})" for count, path in worst if count]
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        warnings.warn(
            f"{total} of {self._pairs * trainer.world_size} pairs lay in places that could not be "
            f"read, and others stood in for them; fetch or write these scenes again: "
            f"{', '.join(bad[:_NAMED])}{more}.",
            SkippedPlaceWarning,
            stacklevel=2,
        )
