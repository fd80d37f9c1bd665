"""Whole training steps of every method, augmentation and logging included, wait for no device."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

from sscl_geo import PairDataModule, ViewAugmentation
from sscl_geo.callbacks.collapse import CollapseMonitor
from sscl_geo.callbacks.history import History
from sscl_geo.callbacks.plateau import Plateau
from sscl_geo.callbacks.skipped import SkippedPlaces
from sscl_geo.tasks.methods import METHODS, build_task
from sscl_geo.tasks.pair_task import PairTask
from sscl_geo.training import quiet_lightning
from sscl_geo.transforms.geometric import RandomWarp
from sscl_geo.transforms.radiometric import Preset, radiometric_augmentation

SMALL = {"encoder": "tu-test_resnet", "in_channels": 3, "projection_dim": 16, "hidden_dim": 32}
WITH_QUEUE = {"moco", "densecl"}


def build(method: str, **options: Any) -> PairTask:
    queue = {"queue_size": 64} if method in WITH_QUEUE else {}
    return build_task(method, **SMALL | queue | {"monitor_every": 1} | options)


class Watched(PairDataModule):
    """Watches each step from the moment that its batch is on the device.

    The first one is let be: Lightning makes room for each value when it is first logged.
    """

    watch: Any
    guard: Any = None

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        if self.trainer.global_step > 0:
            self.guard = self.watch()
            self.guard.__enter__()
        return super().on_after_batch_transfer(batch, dataloader_idx)

    def unwatch(self) -> bool:
        """Ends the watch, and says whether there was one."""
        guard, self.guard = self.guard, None
        if guard is not None:
            guard.__exit__(None, None, None)
        return guard is not None


class Unwatch(pl.Callback):
    """Ends the watch of a step, when all other callbacks have seen it."""

    steps = 0

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        self.steps += trainer.datamodule.unwatch()


@pytest.fixture
def data(make_scene, no_waiting) -> Iterator[Watched]:
    pixels = np.random.default_rng(0).integers(1, 255, (3, 160, 160)).astype(np.uint8)
    options = {"patch_size": 64, "batch_size": 2, "length": 6, "rotation": 20.0}
    module = Watched([str(make_scene(pixels, nodata=0))], **options)
    module.watch = no_waiting
    yield module
    module.unwatch()  # where a step broke off


def train(task: PairTask, data: Watched) -> int:
    """Three steps, and how many were watched to their end."""
    unwatch = Unwatch()
    callbacks = [CollapseMonitor(), Plateau(1000), History(), SkippedPlaces(), unwatch]
    with quiet_lightning():
        trainer = pl.Trainer(
            max_steps=3,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=callbacks,
        )
        trainer.fit(task, datamodule=data)
    assert torch.isfinite(trainer.callback_metrics["train_loss"])
    return unwatch.steps


@pytest.mark.parametrize("method", METHODS)
def test_no_training_step_waits_from_augmentation_to_callbacks(method: str, data: Watched) -> None:
    assert train(build(method), data) == 2


def test_learning_pixel_factors_does_not_wait(data: Watched) -> None:
    assert train(build("sscl", pixel_factors=4), data) == 2


@pytest.mark.parametrize("optimizer", ["sgd", "lars"])
def test_no_optimizer_waits(optimizer: str, data: Watched) -> None:
    assert train(build("byol", optimizer=optimizer), data) == 2


def test_a_step_that_waits_is_noticed(data: Watched) -> None:
    task = build("byol")
    compute = task.compute_terms
    task.compute_terms = lambda views: {k: v * v.item() for k, v in compute(views).items()}
    with pytest.raises(AssertionError, match="the host waits"):
        train(task, data)


def windows(device: str) -> dict[str, torch.Tensor]:
    """Raw windows of pairs, from which the augmentation cuts views."""
    matrix = torch.eye(2, 3, dtype=torch.float64).expand(4, 2, 2, 3)
    batch = {
        "image": torch.rand(4, 2, 3, 90, 90),
        "valid": torch.ones(4, 2, 90, 90, dtype=torch.bool),
        "pixel_to_map": matrix,
        "view_to_window": matrix,
    }
    return {name: value.to(device) for name, value in batch.items()}


def augmentation(preset: Preset) -> ViewAugmentation:
    mean, std = (100.0, 50.0, 25.0), (20.0, 10.0, 5.0)
    chain = radiometric_augmentation(1.0, preset, mean, std)
    return ViewAugmentation(mean, std, RandomWarp(rotation=10), chain, (64, 64), zoom=1.5)


@pytest.fixture
def without_values(monkeypatch) -> str:
    """PyTorch's device without values: whatever asks for one fails, copies to the host too."""
    # Mixed precision is nothing that it knows.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    return "meta"


@pytest.mark.parametrize(
    "asks",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.any()),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x.masked_select(x > 0),
        lambda x: x.cpu(),
        lambda x: x.numpy(),
        lambda x: x.tolist(),
    ],
)
def test_the_device_without_values_notices_who_asks(asks, without_values: str) -> None:
    with pytest.raises((RuntimeError, NotImplementedError, TypeError)):
        asks(torch.ones(2, device=without_values))


@pytest.mark.parametrize("preset", ["optical", "rgb", "sar", "sar_db"])
def test_no_augmentation_asks_for_a_value(preset: Preset, without_values: str) -> None:
    views = augmentation(preset).to(without_values)(windows(without_values))
    assert views["image"].shape == (4, 2, 3, 64, 64)


@pytest.mark.parametrize("method", METHODS)
def test_no_step_asks_for_a_value(method: str, without_values: str) -> None:
    task = build(method).to(without_values)
    logged: dict[str, torch.Tensor] = {}
    task.log_dict = lambda values, **_: logged.update(values)
    views = augmentation("optical").to(without_values)(windows(without_values))
    task.training_step(views, 0).backward()
    assert any(name.endswith("_rank") for name in logged)
    assert all(value.device.type == without_values for value in logged.values())
