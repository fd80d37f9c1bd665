"""Speed and data-wait share of a training."""

import warnings
from collections.abc import Iterator

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.profilers import PassThroughProfiler, SimpleProfiler
from torch.utils.data import DataLoader, IterableDataset

from sscl_geo.callbacks.history import History
from sscl_geo.callbacks.throughput import Throughput


class Clock:
    """A clock that goes only while somebody sleeps, however busy the machine is."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("sscl_geo.callbacks.throughput.perf_counter", clock)
    return clock


class Slow(IterableDataset):
    """Ten batches of four, each a while in the making."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self.seconds, self.clock = seconds, clock

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        for _ in range(10):
            self.clock.sleep(self.seconds)
            yield {"image": torch.zeros(4, 1)}

    def __len__(self) -> int:
        return 10


class Worker(pl.LightningModule):
    def __init__(self, seconds: float, clock: Clock) -> None:
        super().__init__()
        self.seconds, self.clock = seconds, clock
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def transfer_batch_to_device(self, batch, device, dataloader_idx):  # noqa: ARG002
        self.clock.sleep(self.seconds / 2)
        return batch

    def training_step(self, _batch, _):
        self.clock.sleep(self.seconds / 2)
        return self.weight.sum()

    def validation_step(self, _batch, _):
        self.clock.sleep(0.05)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(clock: Clock, reading=0.0, working=0.0, validate=False, profiler=None):
    history, throughput = History(), Throughput("cats")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            val_check_interval=2 if validate else None,
            profiler=profiler,
            callbacks=[throughput, history],
        )
        loaders = [DataLoader(Slow(reading, clock), batch_size=None)]
        loaders += [DataLoader(Slow(0, clock), batch_size=None)] if validate else []
        trainer.fit(Worker(working, clock), *loaders)
    return trainer, history.frame()


def test_the_share_is_that_of_reading_not_of_transfer_or_work(clock) -> None:
    _, frame = train(clock, reading=0.06, working=0.02)
    assert frame["data_wait"].iloc[-1] == pytest.approx(0.75)


def test_speed_counts_what_batches_hold(clock) -> None:
    _, frame = train(clock, reading=0.02, working=0.02)
    assert frame["cats_per_s"].iloc[-1] == pytest.approx(100)


def test_validation_counts_as_neither(clock) -> None:
    _, frame = train(clock, reading=0.01, working=0.03, validate=True)
    assert frame["cats_per_s"].iloc[-1] == pytest.approx(100)
    assert frame["data_wait"].iloc[-1] == pytest.approx(0.25)


@pytest.mark.parametrize("own", [None, SimpleProfiler])
def test_the_trainers_own_profiler_goes_on_and_comes_back(own, clock) -> None:
    trainer, _ = train(clock, working=0.01, profiler=own and own())
    assert type(trainer.profiler) is (own or PassThroughProfiler)
    if own:
        durations = trainer.profiler.recorded_durations
        assert len(durations["[_TrainingEpochLoop].train_dataloader_next"]) >= 10
        assert len(durations["run_training_batch"]) == 10
