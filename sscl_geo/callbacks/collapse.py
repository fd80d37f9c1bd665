"""Noticing that features collapse, which the loss does not show."""

import warnings

from lightning.pytorch import Callback, LightningModule, Trainer

from sscl_geo.errors import CollapseWarning

_CAUSES = {
    "instance": "raise momentum or batch_size, or lower lr",
    "dense": "raise momentum, lower spatial_weight and semantic_weight, or widen overlap and zoom",
}


class CollapseMonitor(Callback):
    """Warn, once a branch, when the spread of its features has almost gone.

    Healthy projections, scaled to unit length, spread like isotropic noise: a standard deviation of
    1 in units of 1/sqrt(d). When all views get the same projection it is 0, and the loss is at its
    best (Chen and He, 2021, figure 2).

    Args:
        threshold: spread, relative to isotropic features, under which to warn.
        patience: steps in a row that it must stay there.
        every: steps between looks; each look waits for the device.
    """

    def __init__(self, threshold: float = 0.1, patience: int = 3, every: int = 10) -> None:
        super().__init__()
        self.threshold = threshold
        self.patience = patience
        self.every = every
        self._low = dict.fromkeys(_CAUSES, 0)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Look at the spread of each branch."""
        if trainer.global_step % self.every:
            return
        for branch, cause in _CAUSES.items():
            spread = trainer.callback_metrics.get(f"train_{branch}_std")
            if spread is None:
                continue
            self._low[branch] = self._low[branch] + 1 if float(spread) < self.threshold else 0
            if self._low[branch] == self.patience:
                warnings.warn(
                    f"The features of the {branch} branch have collapsed at step "
                    f"{trainer.global_step} (spread {float(spread):.3f} of 1); {cause}.",
                    CollapseWarning,
                    stacklevel=2,
                )
