"""A step of pretraining against its peers: ``python -m experiments.benchmarks.train [--quick]``.

ResNet-50, 4 bands, views of 224 pixels. Every figure is the median time from the end of one step
to the end of the next inside Lightning's trainer, so that logging, optimiser and target count;
sides take turns. Batches lie in memory unless a metric says otherwise. What is equal on both
sides: encoder, batch, precision, AdamW; against TorchGeo and lightly also the sizes of the heads
(4096 and 256). The precision is that which ``sscl-geo pretrain`` chooses for the device. TorchGeo's
BYOL runs as shipped, its augmentation included and in the float32 that its trainer defaults to,
against ours with ``ViewAugmentation``; ``over_torchgeo_byol_float32`` is the same with ours in
float32 too. lightly's parts are put together as in its documentation, without augmentation on
either side.

On a GPU the batch is larger, precision is bf16-mixed, and three things more are measured: the share
of the arithmetic ceiling (that of large matrix products, measured) that the whole step reaches,
whether the step waits for the device, and the cost of data from compressed scenes.
"""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import lightning.pytorch as pl
import torch
import torchgeo
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from torchgeo.tasks import BYOL

from experiments.benchmarks.clock import StepClock, seconds, synchronize
from experiments.benchmarks.harness import Comparison, Metric, run
from experiments.benchmarks.lightly_byol import LightlyBYOL
from experiments.benchmarks.scenes import make_large_scene
from sscl_geo import PairDataModule, ViewAugmentation
from sscl_geo.progress import track
from sscl_geo.tasks.methods import build_task
from sscl_geo.tasks.pair_task import PairTask
from sscl_geo.tasks.pair_views import PairViews
from sscl_geo.trainer_options import Precision, TrainerOptions
from sscl_geo.training import quiet_lightning

BANDS, MEAN, STD = 4, (1500.0,) * 4, (900.0,) * 4
BYOL_HEADS = {"hidden_dim": 4096, "projection_dim": 256}


@dataclass(frozen=True)
class Size:
    """How large a case is: encoder, pairs in a batch, pixels of a view, rounds and steps."""

    encoder: str
    batch: int
    side: int
    rounds: int
    steps: int


class Batches(pl.LightningDataModule):
    """The same few batches over and over, from memory, changed on the device."""

    def __init__(self, batches: list[Any], change: Callable[[Any], Any] | None = None) -> None:
        super().__init__()
        self.batches = batches
        self.change = change

    def train_dataloader(self) -> DataLoader[Any]:
        """Whole batches."""
        return DataLoader(self.batches * 1000, batch_size=None)  # ty: ignore[invalid-argument-type]

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:  # noqa: ARG002
        """Augment, if that is part of what is measured."""
        return batch if self.change is None else self.change(batch)


Side = tuple[pl.LightningModule, pl.LightningDataModule]
OURS = TrainerOptions().chosen_precision
"""The precision that training chooses here."""


def measure(quick: bool) -> Iterator[Metric]:
    """Measure what the consistency branch costs, and steps against TorchGeo's and lightly's."""
    torch.manual_seed(0)
    on_gpu = torch.cuda.is_available()
    size = Size("resnet50", 128 if on_gpu else 8, 224, 3, 20 if on_gpu else 2)
    if quick:
        size = Size("resnet18", 4, 64, 1, 2)
    raw = [_raw_batch(size) for _ in range(2)]
    augment = ViewAugmentation(MEAN, STD).to("cuda" if on_gpu else "cpu")
    plain = Batches([{**b, "image": (b["image"] - 1500) / 900} for b in raw])
    full, instance = (_task(name, size) for name in ("sscl", "byol"))
    cost = compare((instance, plain), (full, plain), size)
    yield Metric("step_instance", cost.first, "s", "lower")
    yield Metric("step_sscl", cost.second, "s", "lower")
    yield Metric("consistency_cost", cost.second / cost.first, "x", "lower", 1.15, "instance only")
    yield from _shares(full, raw[0], augment, cost.second, size)
    ours = _task("byol", size, **BYOL_HEADS)
    yield from _peers(ours, raw, plain, augment, size)
    yield from _feed(full, size, quick=quick)
    if on_gpu:
        yield from _on_gpu(full, plain, cost.second)


def compare(
    first: Side, second: Side, size: Size, precisions: tuple[Precision, Precision] = (OURS, OURS)
) -> Comparison:
    """Median seconds of a step of two sides that take turns."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in track(range(size.rounds), "time"):
        for side, timings, precision in zip((first, second), found, precisions, strict=True):
            timings.extend(step_seconds(*side, size.steps, precision=precision))
    return Comparison(median(found[0]), median(found[1]))


def step_seconds(
    task: pl.LightningModule,
    data: pl.LightningDataModule,
    steps: int,
    callbacks: tuple[pl.Callback, ...] = (),
    precision: Precision = OURS,
) -> list[float]:
    """Seconds of some steps after a first one, which sets up optimiser and memory."""
    clock = StepClock()
    with quiet_lightning(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pl.Trainer(
            max_steps=steps + 1,
            devices=1,
            precision=precision,  # ty: ignore[invalid-argument-type] - never auto
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[clock, *callbacks],
        ).fit(task, datamodule=data)
    return clock.seconds


def _task(method: str, size: Size, **options: Any) -> PairTask:
    return build_task(method, encoder=size.encoder, in_channels=BANDS, **options)


def _raw_batch(size: Size) -> dict[str, Tensor]:
    """Pairs of a smooth scene with noise, the second view shifted by a quarter of its width."""
    shape = (size.batch, 2, BANDS, size.side, size.side)
    to_map = torch.tensor([[10.0, 0, 6e5], [0, -10.0, 5e6]], dtype=torch.float64)
    pixel_to_map = to_map.expand(size.batch, 2, 2, 3).clone()
    pixel_to_map[:, 1, 0, 2] += 10 * size.side / 4
    return {
        "image": 1500 + 900 * torch.randn(shape),
        "valid": torch.ones(size.batch, 2, size.side, size.side, dtype=torch.bool),
        "pixel_to_map": pixel_to_map,
    }


def _shares(
    task: PairTask,
    raw: dict[str, Tensor],
    augment: ViewAugmentation,
    step: float,
    size: Size,
) -> Iterator[Metric]:
    """Augmentation, and correspondences with sampling, as shares of a full step."""
    device = next(augment.buffers()).device
    batch = {name: value.to(device) for name, value in raw.items()}
    augmented = augment(batch)
    yield Metric(
        "augment_share", seconds(lambda: augment(batch)) / step, "share", "lower", 0.05, "a step"
    )
    views = PairViews.from_batch(augmented, BANDS)
    cells = size.side // task.hparams["dense_stride"]
    target = torch.randn(2 * size.batch, task.hparams["projection_dim"], cells, cells).to(device)

    def match() -> None:
        views.match((cells, cells), 0.5).exchange(target)

    yield Metric("correspondence_share", seconds(match) / step, "share", "lower", 0.03, "a step")


def _peers(
    ours: PairTask,
    raw: list[dict[str, Tensor]],
    plain: Batches,
    augment: ViewAugmentation,
    size: Size,
) -> Iterator[Metric]:
    theirs = BYOL(model=size.encoder, in_channels=BANDS)
    joined = Batches([{"image": b["image"].flatten(1, 2)} for b in plain.batches])
    augmented = Batches(list(raw), augment)
    timed = compare((theirs, joined), (ours, augmented), size, ("32-true", OURS))
    versus = f"TorchGeo {torchgeo.__version__} BYOL in 32-true, each with its own augmentation"
    yield Metric("step_torchgeo_byol", timed.first, "s", "lower")
    yield Metric("step_byol_augmented", timed.second, "s", "lower")
    yield Metric("over_torchgeo_byol", timed.ratio, "x", "higher", 1.2, f"{versus}; ours in {OURS}")
    timed = compare((theirs, joined), (ours, augmented), size, ("32-true", "32-true"))
    yield Metric(
        "over_torchgeo_byol_float32", timed.ratio, "x", "higher", None, f"{versus}; ours too"
    )
    timed = compare((LightlyBYOL(size.encoder, BANDS), plain), (ours, plain), size)
    yield Metric("step_lightly_byol", timed.first, "s", "lower")
    yield Metric("step_byol", timed.second, "s", "lower")
    versus = f"BYOL of lightly's parts, no augmentation on either side, both in {OURS}"
    yield Metric("over_lightly_byol", timed.ratio, "x", "higher", 1.0, versus)


def _feed(task: PairTask, size: Size, *, quick: bool) -> Iterator[Metric]:
    """Rate with pairs from a compressed scene over the rate with the same from memory."""
    with tempfile.TemporaryDirectory() as folder:
        scene = make_large_scene(Path(folder) / "scene.tif", 2000 if quick else 6000, "deflate")
        served = PairDataModule(
            [str(scene)],
            patch_size=size.side,
            batch_size=size.batch,
            length=size.batch * 1000,
            num_workers=12 if torch.cuda.is_available() else 0,
        )
        served.setup("fit")
        loader = served.train_dataloader()
        batches = [batch for batch, _ in zip(loader, range(2), strict=False)]
        held = Batches(
            batches, served.augmentation.to("cuda" if torch.cuda.is_available() else "cpu")
        )
        timed = compare((task, held), (task, served), size)
    versus = "the same in memory"
    yield Metric("feed_share", timed.ratio, "share", "higher", 0.95, versus)
    yield Metric("images_per_s", 2 * size.batch / timed.second, "images/s", "higher")


def _on_gpu(task: PairTask, plain: Batches, step: float) -> Iterator[Metric]:
    """Share of the bf16 ceiling, and waits for the device inside a training step."""
    matrix = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    ceiling = 2 * 8192**3 / seconds(lambda: matrix @ matrix)
    counted = FlopCounterMode(display=False)
    with counted:
        step_seconds(task, plain, 0)
    yield Metric("bf16_share", counted.get_total_flops() / step / ceiling, "share", "higher")
    waits = _Waits()
    step_seconds(task, plain, 5, (waits,))
    yield Metric("host_waits_per_step", waits.found / max(waits.steps, 1), "waits", "lower", 0)


class _Waits(pl.Callback):
    """Counts waits for the device between the start of a step and the end of its backward pass."""

    def __init__(self) -> None:
        self.found = self.steps = 0
        self._stack = ExitStack()

    def on_train_batch_start(self, *_: Any, **__: Any) -> None:
        """Let PyTorch warn of each wait."""
        synchronize()
        caught = self._stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        self._caught = caught or []

    def on_after_backward(self, *_: Any, **__: Any) -> None:
        """Count the warnings."""
        torch.cuda.set_sync_debug_mode("default")
        self._stack.close()
        self.found += sum("synchroniz" in str(w.message) for w in self._caught)
        self.steps += 1


if __name__ == "__main__":
    run("train", measure)
