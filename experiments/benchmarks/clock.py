"""Timing on a device that works on while its process goes ahead."""

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import lightning.pytorch as pl
import torch


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(function: Callable[[], object], repeats: int = 7) -> float:
    """Median seconds of a call, after two that are not counted."""
    found: list[float] = []
    for number in range(repeats + 2):
        synchronize()
        start = perf_counter()
        function()
        synchronize()
        if number >= 2:
            found.append(perf_counter() - start)
    return median(found)


class StepClock(pl.Callback):
    """Seconds from the end of each step to the end of the next.

    Attributes:
        seconds: of each step but the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._last: float | None = None

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        """Look at the clock."""
        synchronize()
        now = perf_counter()
        if self._last is not None:
            self.seconds.append(now - self._last)
        self._last = now
