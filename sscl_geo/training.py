"""Running a task for a number of steps, the same way for pretraining and fine-tuning."""

import logging
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import lightning.pytorch as pl
import pandas as pd
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.environments import (
    ClusterEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)

from sscl_geo.callbacks.checkpoint_io import AtomicCheckpointIO
from sscl_geo.callbacks.history import History
from sscl_geo.callbacks.memory import PeakMemory
from sscl_geo.callbacks.progress import StepProgress
from sscl_geo.callbacks.skipped import SkippedPlaces
from sscl_geo.callbacks.throughput import Throughput
from sscl_geo.trainer_options import TrainerOptions


def fit(
    task: pl.LightningModule,
    data: pl.LightningDataModule,
    steps: int,
    description: str,
    *,
    options: TrainerOptions | None = None,
    unit: str = "pairs",
    callbacks: Sequence[pl.Callback] = (),
    loggers: Sequence[Logger] = (),
    metrics: Path | None = None,
    checkpoint: Path | None = None,
) -> pd.DataFrame:
    """Train for a fixed number of optimiser steps, behind one progress bar.

    Args:
        task: what to train.
        data: batches.
        steps: optimiser steps.
        description: name shown at the progress bar.
        options: devices, precision and the like; one device as Lightning finds it if None.
        unit: what a batch holds, for the name of the logged speed.
        callbacks: further callbacks.
        loggers: where values go besides the table that is returned.
        metrics: CSV file of that table; none if None.
        checkpoint: checkpoint of this training to go on from; from the start if None.

    Returns:
        what was logged, a row a step (see :class:`~sscl_geo.callbacks.history.History`).

    Raises:
        TrainingError: if the loss becomes infinite or NaN.
    """
    options = options or TrainerOptions()
    history = History(metrics)
    options.prepare(task)
    with quiet_lightning(), TemporaryDirectory() as nothing:
        trainer = pl.Trainer(
            **options.for_lightning(),
            # Where Lightning looks for checkpoints that Slurm's signal made it write.
            default_root_dir=nothing,
            max_steps=steps,
            max_epochs=-1,
            logger=list(loggers),
            log_every_n_steps=10,
            enable_checkpointing=any(isinstance(c, Checkpoint) for c in callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            plugins=[AtomicCheckpointIO(), *_environment()],
            callbacks=[
                Throughput(unit),
                PeakMemory(),
                *callbacks,
                history,
                StepProgress(description),
                SkippedPlaces(),
            ],
        )
        trainer.fit(task, datamodule=data, ckpt_path=checkpoint)
    return history.frame()


def _environment() -> list[ClusterEnvironment]:
    """Slurm's, where Lightning would take it, but with its signal left to us."""
    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return []
    return [SLURMEnvironment(auto_requeue=False)]


@contextmanager
def quiet_lightning() -> Generator[None]:
    """Keep Lightning's notes on devices and loaders off the terminal; its errors still show."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
            warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")
            warnings.filterwarnings("ignore", message=".*across ranks is zero.*")
            # Of kernels of one pixel, whose strides mean the same in either order.
            warnings.filterwarnings("ignore", message=".*Grad strides do not match.*")
            warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
            # PairDataModule resumes within an epoch, its sampler rather than its loader.
            warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
