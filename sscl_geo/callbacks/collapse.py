"""Noticing that features collapse, which the loss does not show."""

import math
import warnings
from collections.abc import Mapping
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from sscl_geo.errors import CollapseWarning, TrainingError

_BRANCHES = ("instance", "dense")
_SPREADS = 0.6
_GROWTH = 2.0
"""Growth of the weights between two looks that no sound learning rate brings about."""


class CollapseMonitor(Callback):
    """Warn, or stop, when the features of a branch have almost lost their spread.

    Healthy projections, scaled to unit length, spread like isotropic noise: a standard deviation of
    1 in units of 1/sqrt(d), and an effective rank of several. When all views get the same
    projection the deviation is 0, and the loss is at its best (Chen and He, 2021, figure 2). When
    they spread well but along a line only, the rank tells it: dimensional collapse (Jing et al.,
    2022).

    Weights that double within one look are told as what they are, a learning rate far too high:
    features of such an encoder need not lose their spread.

    What is said names the cause that the other logged values point to. A branch that keeps its
    spread because it has nothing to learn from (no data, no counterparts) is warned of too, since
    its loss stands still at a value that looks like any other.

    Args:
        threshold: spread, relative to isotropic features, under which a branch has collapsed.
        least_rank: effective rank under which features that do spread have collapsed to a line.
        patience: looks in a row that it must stay there.
        every: steps between looks; each look waits for the device.
        on_collapse: warn once a branch, or end the training with an error.
    """

    def __init__(
        self,
        threshold: float = 0.1,
        least_rank: float = 1.5,
        patience: int = 3,
        every: int = 10,
        on_collapse: Literal["warn", "stop"] = "warn",
    ) -> None:
        super().__init__()
        self.threshold = threshold
        self.least_rank = least_rank
        self.patience = patience
        self.every = every
        self.on_collapse = on_collapse
        self._low = dict.fromkeys(_BRANCHES, 0)
        self._seen = -1
        self._length = math.nan
        self._grown = False

    def state_dict(self) -> dict[str, Any]:
        """How often each branch was low in a row, and the weights' length, for a checkpoint."""
        return {"low": dict(self._low), "length": self._length, "grown": self._grown}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with what a checkpoint knew."""
        self._low.update(state_dict["low"])
        self._length = state_dict.get("length", math.nan)
        self._grown = state_dict.get("grown", False)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Look at the spread of each branch.

        Raises:
            TrainingError: with ``on_collapse="stop"``, when a branch has collapsed.
        """
        step = trainer.global_step
        # Between two readings the old one still stands; it must not count twice.
        every = max(self.every, pl_module.hparams.get("monitor_every", 1))
        if step % every or step == self._seen:
            return
        self._seen = step
        logged = trainer.callback_metrics
        self._look_at_weights(_value(logged, "weight_norm"), step, every)
        for branch in _BRANCHES:
            if f"train_{branch}_std" not in logged:
                continue
            spread = _value(logged, f"{branch}_std")
            rank = _value(logged, f"{branch}_rank")
            # A rank near 1 without spread only says that features have a mean.
            collapsed = spread < self.threshold or (spread > _SPREADS and rank < self.least_rank)
            starved = starvation(logged, branch)
            self._low[branch] = self._low[branch] + 1 if collapsed or starved else 0
            if self._low[branch] != self.patience:
                continue
            if collapsed:
                told_rank = "" if math.isnan(rank) else f", effective rank {rank:.1f}"
                self._tell(
                    f"The features of the {branch} branch have collapsed at step {step} (spread "
                    f"{spread:.3f} of 1{told_rank}); suspected cause: {suspect(logged, branch)}."
                )
            else:
                warnings.warn(
                    f"The {branch} branch has next to nothing to learn from at step {step}: "
                    f"{starved}.",
                    CollapseWarning,
                    stacklevel=2,
                )

    def _look_at_weights(self, length: float, step: int, every: int) -> None:
        growth, self._length = length / (self._length or math.nan), length
        if growth ** (self.every / every) > _GROWTH and not self._grown:
            self._grown = True
            self._tell(
                f"The encoder's weights have grown {growth:.1f}-fold in the {every} steps up "
                f"to step {step}: the learning rate is far too high, so lower lr or lengthen "
                "warmup_steps."
            )

    def _tell(self, sentence: str) -> None:
        if self.on_collapse == "stop":
            raise TrainingError(sentence)
        warnings.warn(sentence, CollapseWarning, stacklevel=3)


def starvation(logged: Mapping[str, Tensor], branch: str) -> str | None:
    """What a branch lacks to learn at all, and its cure; None if nothing.

    Args:
        logged: values of a step, ``train_<name>``.
        branch: ``"instance"`` or ``"dense"``.
    """
    valid, overlap = _value(logged, "valid"), _value(logged, "overlap")
    if valid < 0.1:
        return (
            f"only {valid:.0%} of the pixels have data, so raise min_valid or correct the nodata "
            "value or cloud mask of the scenes"
        )
    if branch == "dense" and overlap < 0.02:
        return (
            f"only {overlap:.1%} of the cells have a counterpart, so raise overlap, narrow zoom or "
            "lower dense_stride"
        )
    return None


def suspect(logged: Mapping[str, Tensor], branch: str) -> str:
    """Name the likeliest cause of a collapse, and its cure; arguments as in :func:`starvation`."""
    starved = starvation(logged, branch)
    if starved is not None:
        return starved
    if _value(logged, f"{branch}_std") > _SPREADS:
        return (
            "the features differ in one direction only, mostly brightness, so use more bands, "
            "stronger augmentation or larger batches"
        )
    if branch == "dense":
        return (
            "cells are made similar too hard, so raise momentum, lower lr, or lower the weights of "
            "the dense terms"
        )
    return "views are made similar too hard, so raise momentum or batch_size, or lower lr"


def _value(logged: Mapping[str, Tensor], name: str) -> float:
    """A logged value; NaN where there is none, which is below nothing."""
    return float(logged.get(f"train_{name}", math.nan))
