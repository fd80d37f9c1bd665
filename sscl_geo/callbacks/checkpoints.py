"""Keeping the state of a training on disk, so that it can go on after a break."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from sscl_geo.callbacks.slurm_job import SlurmJob
from sscl_geo.errors import ConfigError

_STEPS_BETWEEN_LOOKS = 10


class Checkpoints(Checkpoint):
    """Write ``last.ckpt`` every so many steps or minutes, and after the last step.

    And when Slurm says that the job's time is nearly over; see
    :class:`~sscl_geo.callbacks.slurm_job.SlurmJob`.

    Only between optimiser steps, since gradients that are still being accumulated are in no
    checkpoint. Where a validation follows, one that is due waits for its end: Lightning would not
    make up for the validation after a break. Use it with
    :class:`~sscl_geo.callbacks.checkpoint_io.AtomicCheckpointIO`.

    Args:
        folder: where to write.
        every_steps: optimiser steps between checkpoints; by time alone if None.
        every_minutes: minutes between checkpoints.
        facts: what else the training goes by, in plain values, to be compared when it goes on; see
            :func:`~sscl_geo.resuming.check_same_run`.

    Raises:
        ConfigError: if checkpoints are less than a step apart.
    """

    NAME = "last.ckpt"

    def __init__(
        self,
        folder: Path,
        every_steps: int | None = None,
        every_minutes: float = 10.0,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if every_steps is not None and every_steps < 1:
            raise ConfigError(
                f"Checkpoints cannot be {every_steps} steps apart; give 1 or more, or none, to go "
                "by time alone."
            )
        self.path = folder / self.NAME
        self.every_steps = every_steps
        self.every_minutes = every_minutes
        self.facts = dict(facts or {})
        self._seen = 0
        self._saved_at = time.monotonic()
        self._task = ""
        self._job = SlurmJob()

    def state_dict(self) -> dict[str, Any]:
        """Which task the checkpoint is of, and what else it goes by."""
        return {"task": self._task, "facts": self.facts}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._task = type(pl_module).__name__
        self._seen, self._saved_at = trainer.global_step, time.monotonic()
        self._job.listen()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Stop listening to Slurm."""
        self._job.stop_listening()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Write a checkpoint if one is due."""
        if trainer.global_step == self._seen:
            return
        self._seen = trainer.global_step
        if not (trainer.is_last_batch and sum(trainer.num_val_batches)):
            self._save_if_due(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write a checkpoint if one is due, with what the validation found."""
        if not trainer.sanity_checking:
            self._save_if_due(trainer)

    def _save_if_due(self, trainer: Trainer) -> None:
        step = trainer.global_step
        is_done = step >= trainer.max_steps > 0 or trainer.should_stop
        if not (is_done or self._is_due(trainer, step)):
            return
        trainer.save_checkpoint(self.path)
        self._saved_at = time.monotonic()
        if not is_done and _any_says(trainer, self._job.is_ending):
            self._job.end(self.path, is_first_rank=trainer.is_global_zero)

    def _is_due(self, trainer: Trainer, step: int) -> bool:
        if self.every_steps is not None and step % self.every_steps == 0:
            return True
        late = time.monotonic() - self._saved_at >= 60 * self.every_minutes
        return _any_says(trainer, late or self._job.is_ending)


def _any_says(trainer: Trainer, told: bool) -> bool:
    """What any process says, from time to time: clocks differ, and all must come to save."""
    if trainer.global_step % _STEPS_BETWEEN_LOOKS:
        return False
    return trainer.strategy.reduce_boolean_decision(told, all=False)
