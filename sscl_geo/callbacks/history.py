"""What a training logged, as a table."""

import pandas as pd
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor


class History(Callback):
    """Keep the logged values of every step, to draw curves from.

    Values stay on the device until :meth:`frame` is called, so that a step waits for nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[tuple[int, dict[str, Tensor]]] = []

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Take down the values of one step."""
        values = {k: torch.as_tensor(v).detach() for k, v in trainer.callback_metrics.items()}
        self._rows.append((trainer.global_step, values))

    def frame(self) -> pd.DataFrame:
        """One row a step: ``step`` and the logged values, without their ``train_`` prefix."""
        return pd.DataFrame(
            [
                {"step": step, **{k.removeprefix("train_"): float(v) for k, v in values.items()}}
                for step, values in self._rows
            ]
        )
