"""Loggers by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from sscl_geo.errors import ConfigError

LoggerName = Literal["tensorboard", "wandb", "mlflow"]


def build_loggers(
    names: Sequence[LoggerName], folder: Path, purge_after: int | None = None
) -> list[Logger]:
    """Make Lightning's loggers, their files in the folder of a run.

    A server, an account and a project are told to W&B and MLflow by their own environment
    variables (``WANDB_PROJECT``, ``MLFLOW_TRACKING_URI``, …).

    Args:
        names: which ones.
        folder: of the run; its name is that of the run.
        purge_after: step of the checkpoint from which a training goes on; TensorBoard then forgets
            what it was told of later steps.

    Raises:
        ConfigError: if a package is not installed.
    """
    return [_build(name, folder, purge_after) for name in dict.fromkeys(names)]


def _build(name: LoggerName, folder: Path, purge_after: int | None) -> Logger:
    try:
        if name == "tensorboard":
            purge = None if purge_after is None else purge_after + 1
            return TensorBoardLogger(folder, name="", version="tensorboard", purge_step=purge)
        if name == "wandb":
            return WandbLogger(folder.name, folder)
        return MLFlowLogger(run_name=folder.name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The logger {name} needs a package that is not installed; "
            f"run 'pip install {name}', or leave the logger out."
        ) from error
