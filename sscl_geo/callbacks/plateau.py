"""Ending a training when its loss no longer falls."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor


class Plateau(Callback):
    """Stop when the mean loss of a stretch of steps has not fallen for several stretches.

    Lightning's ``EarlyStopping`` looks once an epoch or validation, of which pretraining has one
    and none. The loss is summed on the device and looked at once a stretch. A low loss does not
    say that the features are good: collapse is the lowest of all.

    Args:
        patience: optimiser steps without a lower mean.
        stretches: number of stretches that the patience is cut into.
        least: decrease of the mean that counts.
    """

    def __init__(self, patience: int, stretches: int = 4, least: float = 1e-4) -> None:
        super().__init__()
        self.length = max(1, patience // stretches)
        self.stretches = stretches
        self.least = least
        self._seen = 0
        self._sum: Tensor | None = None
        self._best = float("inf")
        self._in_vain = 0

    def state_dict(self) -> dict[str, Any]:
        """Where the look at the loss is, for a checkpoint."""
        return {
            "seen": self._seen,
            "sum": self._sum,
            "best": self._best,
            "in_vain": self._in_vain,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with what a checkpoint knew."""
        self._seen, self._sum = state_dict["seen"], state_dict["sum"]
        self._best, self._in_vain = state_dict["best"], state_dict["in_vain"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave at once where the training had stopped before."""
        trainer.should_stop = trainer.should_stop or self._in_vain >= self.stretches

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Add up the loss, and decide at the end of a stretch."""
        if trainer.global_step == self._seen:
            return
        self._seen = trainer.global_step
        loss = trainer.callback_metrics["train_loss"].detach()
        self._sum = loss if self._sum is None else self._sum.to(loss.device) + loss
        if self._seen % self.length:
            return
        total = trainer.strategy.reduce(self._sum, reduce_op="mean")  # ranks decide alike
        mean = float(torch.as_tensor(total)) / self.length
        self._sum = None
        self._in_vain = 0 if mean < self._best - self.least else self._in_vain + 1
        self._best = min(self._best, mean)
        trainer.should_stop = trainer.should_stop or self._in_vain >= self.stretches
