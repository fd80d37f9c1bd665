"""Loggers by name."""

import importlib
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from sscl_geo.errors import ConfigError
from sscl_geo.io.atomic import ensure_folder
from sscl_geo.progress import is_main_rank

LoggerName = Literal["tensorboard", "wandb", "mlflow"]

_PROJECT = "sscl_geo"
_ERRORS = {"wandb": ("wandb", "Error"), "mlflow": ("mlflow.exceptions", "MlflowException")}
_CURES = {
    "wandb": "run 'wandb login', set WANDB_MODE=offline",
    "mlflow": "correct MLFLOW_TRACKING_URI or unset it, which writes to the folder of the run",
}


@contextmanager
def open_loggers(
    names: Sequence[LoggerName], folder: Path, purge_after: int | None = None
) -> Generator[list[Logger]]:
    """Start Lightning's loggers, with their files in the folder of a run, and end them.

    They are started before the training, so that one that cannot work costs no time, and only on
    the process that writes. A server, an account and a project are told to W&B and MLflow by their
    own environment variables (``WANDB_PROJECT``, ``WANDB_MODE``, ``MLFLOW_TRACKING_URI``,
    ``MLFLOW_EXPERIMENT_NAME``, …).

    Args:
        names: which ones.
        folder: of the run; its name is that of the run.
        purge_after: step of the checkpoint from which a training goes on; TensorBoard then forgets
            what it was told of later steps.

    Yields:
        the loggers, none on a process that does not write.

    Raises:
        ConfigError: if a package is not installed, or its server or account cannot be reached.
    """
    started: list[Logger] = []
    failed = 1
    try:
        wanted = dict.fromkeys(names if is_main_rank() else ())
        started.extend(_start(name, ensure_folder(folder), purge_after) for name in wanted)
        yield started
        failed = 0
    finally:
        for logger in started:
            # Left open, it would take up the next training of this process.
            if isinstance(logger, WandbLogger):
                logger.experiment.finish(exit_code=failed)


def _start(name: LoggerName, folder: Path, purge_after: int | None) -> Logger:
    if name == "tensorboard":
        purge = None if purge_after is None else purge_after + 1
        return TensorBoardLogger(folder, name="", version="tensorboard", purge_step=purge)
    try:
        logger = _build(name, folder)
        _ = logger.experiment  # reaches the server, or opens the files
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The logger {name} needs a package that is not installed; "
            f"run 'pip install {name}', or leave the logger out."
        ) from error
    except Exception as error:
        module, kind = _ERRORS[name]
        if not isinstance(error, getattr(importlib.import_module(module), kind)):
            raise
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise ConfigError(
            f"The logger {name} cannot start ({reason}); {_CURES[name]}, or leave the logger out."
        ) from error
    return logger


def _build(name: LoggerName, folder: Path) -> WandbLogger | MLFlowLogger:
    if name == "wandb":
        return WandbLogger(folder.name, folder, project=os.environ.get("WANDB_PROJECT", _PROJECT))
    return MLFlowLogger(
        os.environ.get("MLFLOW_EXPERIMENT_NAME", _PROJECT),
        folder.name,
        # Lightning's own default, a folder of files, is refused by MLflow 3.
        os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.resolve() / 'mlflow.db'}",
    )
