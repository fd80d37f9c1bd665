"""How fast a training goes, and how much of its time it waits for data."""

from collections import deque
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.profilers import Profiler

_FETCH = "train_dataloader_next"
"""How Lightning's profilers know the wait for a batch, the only hook right around it."""


class Throughput(Callback):
    """Log ``train_data_wait`` and ``train_<unit>_per_s``, as means over the last steps.

    The share is that of the time which the training process spends inside the data loader: near 0
    where batches lie ready, near 1 where reading is all that happens. Copying a batch to the device
    and augmenting it there is not waiting. Validation counts for neither.

    A GPU works on while its process waits. With reading processes this does not matter, since they
    read ahead; without any (``num_workers=0``) the share says more than the GPU idles.

    Args:
        unit: what a batch holds.
        window: number of steps to average over.
    """

    def __init__(self, unit: str = "pairs", window: int = 20) -> None:
        super().__init__()
        self.unit = unit
        self._steps: deque[tuple[float, float, int]] = deque(maxlen=window)
        self._since = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clocks."""
        # Lightning gives a trainer its profiler outside of the class, where no checker sees it.
        self._clock = _FetchClock(trainer.profiler)  # ty: ignore[missing-attribute]
        trainer.profiler = self._clock  # ty: ignore[missing-attribute]
        self._since = perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave validation out."""
        self._since = perf_counter()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Log the last steps."""
        now = perf_counter()
        count = len(batch["image"]) * trainer.world_size
        self._steps.append((now - self._since, self._clock.take(), count))
        self._since = now
        seconds, waiting, items = map(sum, zip(*self._steps, strict=True))
        values = {"data_wait": waiting / seconds, f"{self.unit}_per_s": items / seconds}
        # As CPU tensors: a plain number would be sent to the device and wait for it.
        logged = {f"train_{name}": torch.tensor(value) for name, value in values.items()}
        pl_module.log_dict(logged, batch_size=count)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave the trainer as it was."""
        own = trainer.profiler  # ty: ignore[missing-attribute]
        if isinstance(own, _FetchClock):
            trainer.profiler = own.inner  # ty: ignore[missing-attribute]


class _FetchClock(Profiler):
    """Adds up the waits for batches, and passes everything on to the trainer's own profiler."""

    def __init__(self, inner: Profiler) -> None:
        super().__init__()
        self.inner = inner
        self._started = self._total = 0.0

    def start(self, action_name: str) -> None:
        self.inner.start(action_name)
        if action_name.endswith(_FETCH):
            self._started = perf_counter()

    def stop(self, action_name: str) -> None:
        if action_name.endswith(_FETCH):
            self._total += perf_counter() - self._started
        self.inner.stop(action_name)

    def take(self) -> float:
        """Seconds waited since the last call."""
        total, self._total = self._total, 0.0
        return total

    def summary(self) -> str:
        return self.inner.summary()

    def describe(self) -> None:
        self.inner.describe()
