"""One progress bar for a whole training, counted in steps."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from sscl_geo.progress import Bar, progress_bar


class StepProgress(Callback):
    """Show training as one bar of steps, with loss and speed behind it; silent off a terminal.

    Lightning's own bar starts anew each epoch, which says little where an epoch is a number of
    random patches.

    Args:
        description: what is going on, for example ``"pretrain"``.
    """

    def __init__(self, description: str) -> None:
        super().__init__()
        self.description = description
        self._stack = ExitStack()
        self._bar: Bar | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the bar."""
        total = int(trainer.estimated_stepping_batches)
        self._bar = self._stack.enter_context(progress_bar(self.description, total))
        self._bar.advance(trainer.global_step)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Move the bar by one step."""
        if self._bar is None or self._bar.progress.disable:
            return
        self._bar.advance(1, note=_note(trainer.callback_metrics))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the bar away."""
        self._stack.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Take the bar away, so that the error stands alone."""
        self._stack.close()


def _note(logged: Mapping[str, Tensor]) -> str:
    """Loss, speed, share of time spent waiting for data, memory, as far as they are logged."""
    told = [f"loss {float(logged['train_loss']):.3f}"] if "train_loss" in logged else []
    for name, value in logged.items():
        if name.endswith("_per_s"):
            digits = 0 if value >= 10 else 1
            told.append(f"{value:.{digits}f} {name[len('train_') : -len('_per_s')]}/s")
    if "train_data_wait" in logged:
        told.append(f"{float(logged['train_data_wait']):.0%} waiting for data")
    if "train_memory_gib" in logged:
        told.append(f"{float(logged['train_memory_gib']):.1f} GiB")
    return ", ".join(told)
