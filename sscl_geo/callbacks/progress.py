"""One progress bar for a whole training, counted in steps."""

from contextlib import ExitStack
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from sscl_geo.progress import Bar, progress_bar


class StepProgress(Callback):
    """Show training as one bar of steps, with the loss behind it; silent when not a terminal.

    Lightning's own bar starts anew each epoch, which says little where an epoch is a number of
    random patches.

    Args:
        description: what is going on, for example ``"pretrain"``.
        metric: name of the logged value shown behind the bar.
    """

    def __init__(
        self,
        description: str,
        metric: str = "train_loss",
    ) -> None:
        super().__init__()
        self.description = description
        self.metric = metric
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
        value = trainer.callback_metrics.get(self.metric)
        self._bar.advance(1, note="" if value is None else f"loss {float(value):.3f}")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the bar away."""
        self._stack.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Take the bar away, so that the error stands alone."""
        self._stack.close()
