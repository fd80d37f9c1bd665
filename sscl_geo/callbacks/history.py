"""What a training logged, as a table."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from sscl_geo.errors import TrainingError
from sscl_geo.io.atomic import atomic_path

_ROWS_ON_DEVICE = 50


class History(Callback):
    """Keep the logged values of every optimiser step, to draw curves from.

    Values stay on the device and come to the host fifty steps at a time, so that a step waits for
    nothing. They are part of a checkpoint: the curves of a resumed training are whole, and hold
    nothing of steps that were lost.

    Args:
        path: CSV file that is written with each checkpoint and at the end; none if None.
    """

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self.path = path
        self._frames: list[pd.DataFrame] = []
        self._pending: list[tuple[int, tuple[str, ...], Tensor]] = []
        self._seen = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember where the training starts."""
        self._seen = trainer.global_step

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Take down the values of one step.

        Raises:
            TrainingError: if the loss of one of the last steps was infinite or NaN.
        """
        if trainer.global_step == self._seen:  # gradients are still being accumulated
            return
        self._seen = trainer.global_step
        metrics = trainer.callback_metrics
        for on_device in (True, False):  # apart, since moving a value waits for the device
            some = {k: v for k, v in metrics.items() if (v.device == pl_module.device) == on_device}
            if some:
                values = torch.stack([v.detach().double() for v in some.values()])
                self._pending.append((self._seen, tuple(some), values))
        if self._seen % _ROWS_ON_DEVICE == 0:
            self._fetch()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the table."""
        self._write(trainer)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write the table as far as the checkpoint goes."""
        self._write(trainer)

    def state_dict(self) -> dict[str, Any]:
        """The table, for a checkpoint."""
        frame = self.frame()
        return {"columns": list(frame), "rows": torch.from_numpy(frame.to_numpy(np.float64).copy())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the table of a checkpoint."""
        frame = pd.DataFrame(state_dict["rows"].numpy(), columns=state_dict["columns"])
        self._frames = [frame.astype({"step": int})] if len(frame) else []
        self._pending = []

    def frame(self) -> pd.DataFrame:
        """One row a step: ``step`` and the logged values, without their ``train_`` prefix.

        Raises:
            TrainingError: if a loss is infinite or NaN.
        """
        self._fetch()
        if not self._frames:
            return pd.DataFrame({"step": np.zeros(0, int)})
        # What is logged every few steps stands until the next time, also across a break.
        self._frames = [pd.concat(self._frames, ignore_index=True).ffill()]
        return self._frames[0]

    def _fetch(self) -> None:
        """Bring what is on the device to the host."""
        if not self._pending:
            return
        rows: dict[int, dict[str, float]] = {}
        for device in {values.device for *_, values in self._pending}:
            here = [row for row in self._pending if row[2].device == device]
            values = iter(torch.cat([row[2] for row in here]).tolist())
            for step, names, _ in here:
                row = rows.setdefault(step, {"step": step})
                row |= {name.removeprefix("train_"): next(values) for name in names}
        self._pending = []
        frame = pd.DataFrame([rows[step] for step in sorted(rows)])
        self._frames.append(frame)
        if "loss" in frame and not np.isfinite(frame["loss"]).all():
            first = int(frame["step"][~np.isfinite(frame["loss"])].iloc[0])
            raise TrainingError(
                f"The loss is not finite from step {first} on; lower lr, and look for wild values "
                "in the scenes with 'sscl-geo pairs'."
            )

    def _write(self, trainer: Trainer) -> None:
        if self.path is not None and trainer.is_global_zero:
            with atomic_path(self.path) as temporary:
                self.frame().to_csv(temporary, index=False)
