"""Running a task for a number of steps, the same way for pretraining and fine-tuning."""

import logging
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import lightning.pytorch as pl
import numpy as np
import pandas as pd

from sscl_geo.callbacks.history import History
from sscl_geo.callbacks.progress import StepProgress
from sscl_geo.errors import TrainingError


def fit(
    task: pl.LightningModule,
    data: pl.LightningDataModule,
    steps: int,
    description: str,
    *,
    accelerator: str = "auto",
    callbacks: Sequence[pl.Callback] = (),
) -> pd.DataFrame:
    """Train for a fixed number of optimiser steps, behind one progress bar.

    Args:
        task: what to train.
        data: batches.
        steps: optimiser steps.
        description: name shown at the progress bar.
        accelerator: Lightning's name of the device kind: ``auto``, ``cpu``, ``gpu``, ``mps``.
        callbacks: further callbacks.

    Returns:
        what was logged, a row a step (see :class:`~sscl_geo.callbacks.history.History`).

    Raises:
        TrainingError: if the loss becomes infinite or NaN.
    """
    history = History()
    with quiet_lightning():
        trainer = pl.Trainer(
            accelerator=accelerator,
            devices=1,
            max_steps=steps,
            max_epochs=-1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[history, StepProgress(description), *callbacks],
        )
        trainer.fit(task, datamodule=data)
    frame = history.frame()
    if not np.isfinite(frame["loss"]).all():
        first = int(frame["step"][~np.isfinite(frame["loss"])].iloc[0])
        raise TrainingError(
            f"The loss is not finite from step {first} on; lower lr, and look for wild values "
            "in the scenes with 'sscl-geo pairs'."
        )
    return frame


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
            warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
