"""Keeping the weights that were best in validation, and stopping when they get no better."""

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor


class BestWeights(pl.Callback):
    """Remember each validation, and at the end take the weights of the best one.

    Lightning's ``ModelCheckpoint`` and ``EarlyStopping`` do the same through files and epochs.

    Args:
        monitor: logged value that is to be large.
        patience: validations without a better one after which training ends; never if None.

    Attributes:
        rows: for each validation its ``step`` and what was logged as ``val_…``.
        best_step: step of the best validation; 0 without validations.
        best: its value.
    """

    def __init__(
        self, monitor: str = "val_AverageJaccardIndex", patience: int | None = None
    ) -> None:
        super().__init__()
        self.monitor = monitor
        self.patience = patience
        self.rows: list[dict[str, float]] = []
        self.best_step = 0
        self.best = float("-inf")
        self._weights: dict[str, Tensor] = {}
        self._in_vain = 0

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at what was found."""
        if trainer.sanity_checking:
            return
        found = {
            name.removeprefix("val_"): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith("val_")
        }
        self.rows.append({"step": trainer.global_step, **found})
        value = float(trainer.callback_metrics[self.monitor])
        self._in_vain += 1
        if value > self.best:
            self.best, self.best_step, self._in_vain = value, trainer.global_step, 0
            state = pl_module.state_dict()
            self._weights = {k: v.detach().to("cpu", copy=True) for k, v in state.items()}
        if self.patience is not None and self._in_vain >= self.patience:
            trainer.should_stop = True

    @torch.no_grad()
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go back to the best weights."""
        if self._weights:
            pl_module.load_state_dict(self._weights)

    def provenance(self) -> dict[str, Any]:
        """What a bundle says of how its weights were chosen."""
        if not self.rows:
            return {"weights": "of the last step, as there was no validation part"}
        chosen = f"of step {self.best_step}, the best of {len(self.rows)} validations"
        return {"weights": chosen, "validation_miou": f"{self.best:.4f}"}
