"""Options of a training as Lightning's trainer takes them."""

import pytest
import torch

from sscl_geo.errors import ConfigError, TrainingError
from sscl_geo.loggers import build_loggers
from sscl_geo.tasks.methods import build_task
from sscl_geo.trainer_options import TrainerOptions


def test_batch_normalisation_is_not_synchronised_without_gpus() -> None:
    assert not TrainerOptions("cpu", devices=4).for_lightning()["sync_batchnorm"]


def test_batch_normalisation_is_synchronised_between_gpus(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert TrainerOptions("gpu", devices=4).for_lightning()["sync_batchnorm"]
    assert TrainerOptions("auto", nodes=2).for_lightning()["sync_batchnorm"]
    assert not TrainerOptions("gpu").for_lightning()["sync_batchnorm"]
    assert not TrainerOptions("gpu", devices=4, sync_bn=False).for_lightning()["sync_batchnorm"]


def test_compiling_takes_both_encoders_and_leaves_the_names() -> None:
    task = build_task(encoder="tu-test_resnet", in_channels=2)
    names = list(task.state_dict())
    TrainerOptions(compile=True).prepare(task)
    for encoder in (task.encoder, task.target["encoder"]):
        assert encoder._compiled_call_impl is not None
    assert list(task.state_dict()) == names


@pytest.mark.parametrize("option", ["devices", "nodes", "accumulate"])
def test_less_than_one_is_refused(option: str) -> None:
    with pytest.raises(TrainingError, match="at least 1"):
        TrainerOptions(**{option: 0})


def test_a_logger_that_is_not_installed_is_one_sentence(tmp_path, monkeypatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("mlflow")

    monkeypatch.setattr("sscl_geo.loggers.MLFlowLogger", missing)
    with pytest.raises(ConfigError, match="run 'pip install mlflow'"):
        build_loggers(["mlflow"], tmp_path)


def test_tensorboard_forgets_what_came_after_the_checkpoint(tmp_path) -> None:
    (logger,) = build_loggers(["tensorboard"], tmp_path, purge_after=7)
    assert logger.log_dir == str(tmp_path / "tensorboard")
    assert logger._kwargs["purge_step"] == 8
