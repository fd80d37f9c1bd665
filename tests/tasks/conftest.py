"""Small batches of pairs, and a short training on them."""

from collections.abc import Callable, Sequence
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch.utils.data import DataLoader

from sscl_geo.training import quiet_lightning

Batch = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def make_batch() -> Callable[..., Batch]:
    """Make a batch of ``pairs`` of square views, the second shifted east by so many pixels."""

    def make(pairs: int = 4, size: int = 32, shift: float = 8.0, bands: int = 2) -> Batch:
        a = torch.tensor([[10.0, 0, 500_000], [0, -10, 4_000_000]], dtype=torch.float64)
        b = a.clone()
        b[0, 2] += 10 * shift
        return {
            "image": torch.randn(pairs, 2, bands, size, size),
            "valid": torch.ones(pairs, 2, size, size, dtype=torch.bool),
            "pixel_to_map": torch.stack([a, b]).expand(pairs, 2, 2, 3).clone(),
        }

    return make


@pytest.fixture(scope="session")
def train() -> Callable[..., pl.Trainer]:
    """Train a task on the CPU, a step a batch, and return its trainer."""

    def run(
        task: pl.LightningModule, batches: Sequence[Batch], steps: int = -1, **options: Any
    ) -> pl.Trainer:
        with quiet_lightning():
            trainer = pl.Trainer(
                max_steps=steps,
                max_epochs=1 if steps < 0 else -1,
                accelerator="cpu",
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                **options,
            )
            trainer.fit(task, DataLoader(batches, batch_size=None))
        return trainer

    return run


@pytest.fixture
def quiet() -> Callable[[Any], Any]:
    """Take the logging of a task away, so that its step runs without a trainer."""

    def silence(task: Any) -> Any:
        task.log_dict = lambda *_, **__: None
        return task

    return silence
