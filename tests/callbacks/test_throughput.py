"""Speed and data-wait share of a training."""

import time
import warnings
from collections.abc import Iterator

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.profilers import PassThroughProfiler, SimpleProfiler
from torch.utils.data import DataLoader, IterableDataset

from sscl_geo.callbacks.history import History
from sscl_geo.callbacks.throughput import Throughput


class Slow(IterableDataset):
    """Ten batches of four, each a while in the making."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        for _ in range(10):
            time.sleep(self.seconds)
            yield {"image": torch.zeros(4, 1)}

    def __len__(self) -> int:
        return 10


class Worker(pl.LightningModule):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def transfer_batch_to_device(self, batch, device, dataloader_idx):  # noqa: ARG002
        time.sleep(self.seconds / 2)
        return batch

    def training_step(self, _batch, _):
        time.sleep(self.seconds / 2)
        return self.weight.sum()

    def validation_step(self, _batch, _):
        time.sleep(0.05)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(reading: float, working: float, validate: bool = False, profiler=None):
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
        loaders = [DataLoader(Slow(reading), batch_size=None)]
        loaders += [DataLoader(Slow(0), batch_size=None)] if validate else []
        trainer.fit(Worker(working), *loaders)
    return trainer, history.frame()


def test_the_share_is_that_of_reading_not_of_transfer_or_work() -> None:
    _, frame = train(reading=0.06, working=0.02)
    assert 0.6 < frame["data_wait"].iloc[-1] < 0.8


def test_speed_counts_what_batches_hold() -> None:
    _, frame = train(reading=0.02, working=0.02)
    assert 50 < frame["cats_per_s"].iloc[-1] < 100


def test_validation_counts_as_neither() -> None:
    _, frame = train(reading=0.01, working=0.01, validate=True)
    assert frame["cats_per_s"].iloc[-1] > 80


@pytest.mark.parametrize("own", [None, SimpleProfiler])
def test_the_trainers_own_profiler_goes_on_and_comes_back(own) -> None:
    trainer, _ = train(0, 0, profiler=own and own())
    assert type(trainer.profiler) is (own or PassThroughProfiler)
    if own:
        durations = trainer.profiler.recorded_durations
        assert len(durations["[_TrainingEpochLoop].train_dataloader_next"]) >= 10
        assert len(durations["run_training_batch"]) == 10
