"""Keeping the weights that were best in validation, and stopping when they get no better."""

import math
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor

from sscl_geo.errors import ConfigError

Select = Literal["miou", "mf1", "oa", "loss"]
"""What the best validation is told by: the mean over the classes of the intersection over union or
of the F1 score, the overall accuracy, or the loss that training lowers."""

_LOGGED = {
    "miou": "val_AverageJaccardIndex",
    "mf1": "val_AverageF1Score",
    "oa": "val_OverallAccuracy",
    "loss": "val_loss",
}


class BestWeights(pl.Callback):
    """Remember each validation, and at the end take the weights of the best one.

    Lightning's ``ModelCheckpoint`` and ``EarlyStopping`` do the same through files and epochs.
    Validations must log what TorchGeo's task for segmentation does.

    Args:
        select: figure that is to be largest, or ``"loss"``, which is to be least.
        patience: validations without a better one after which training ends; never if None.

    Attributes:
        rows: for each validation its ``step`` and what was logged as ``val_…``.
        best_step: step of the best validation; 0 without validations.
        best: what ``select`` names, there; NaN without validations.

    Raises:
        ConfigError: if ``select`` names no figure, or the patience is for less than one validation.
    """

    def __init__(self, select: Select = "miou", patience: int | None = None) -> None:
        super().__init__()
        if select not in _LOGGED:
            raise ConfigError(
                f"The best weights cannot be told by {select!r}; choose one of "
                f"{', '.join(_LOGGED)}."
            )
        if patience is not None and patience < 1:
            raise ConfigError(
                f"A patience of {patience} validations ends before the first; give 1 or more, or "
                "leave patience out."
            )
        self.select = select
        self.patience = patience
        self.rows: list[dict[str, float]] = []
        self.best_step = 0
        self.best = math.nan
        self._weights: dict[str, Tensor] = {}
        self._in_vain = 0

    def state_dict(self) -> dict[str, Any]:
        """All that was seen, and the best weights, for a checkpoint."""
        return {
            "rows": self.rows,
            "best_step": self.best_step,
            "best": self.best,
            "weights": self._weights,
            "in_vain": self._in_vain,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with what a checkpoint knew."""
        self.rows = list(state_dict["rows"])
        self.best_step, self.best = state_dict["best_step"], state_dict["best"]
        self._weights, self._in_vain = state_dict["weights"], state_dict["in_vain"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave at once where the training had stopped before.

        Raises:
            ConfigError: if there is patience, but no validation to have it with.
        """
        if self.patience is not None and not sum(trainer.num_val_batches):
            raise ConfigError(
                f"A patience of {self.patience} validations needs ground to validate on; hold some "
                "out with val_share, give blocks with a part 'val', or leave patience out."
            )
        trainer.should_stop = trainer.should_stop or self._is_enough()

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
        value = float(trainer.callback_metrics[_LOGGED[self.select]])
        self._in_vain += 1
        if self._is_better(value):
            self.best, self.best_step, self._in_vain = value, trainer.global_step, 0
            state = pl_module.state_dict()
            self._weights = {k: v.detach().to("cpu", copy=True) for k, v in state.items()}
        trainer.should_stop = trainer.should_stop or self._is_enough()

    def _is_enough(self) -> bool:
        return self.patience is not None and self._in_vain >= self.patience

    def _is_better(self, value: float) -> bool:
        if math.isnan(self.best):
            return not math.isnan(value)
        return value < self.best if self.select == "loss" else value > self.best

    @torch.no_grad()
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go back to the best weights."""
        if self._weights:
            pl_module.load_state_dict(self._weights)

    def provenance(self) -> dict[str, str]:
        """What a bundle says of how its weights were chosen."""
        if not self.rows:
            return {"weights": "of the last step, as there was no validation"}
        if math.isnan(self.best):
            return {"weights": f"of the last step, as {self.select} was never a number"}
        chosen = f"of step {self.best_step}, the best of {len(self.rows)} validations"
        return {
            "weights": chosen,
            "selected_by": self.select,
            f"validation_{self.select}": f"{self.best:.4f}",
        }
