"""Loggers of a pretraining: what they are told, offline, and what is said where one cannot work."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sscl_geo.cli.main import main
from sscl_geo.errors import ConfigError
from sscl_geo.loggers import open_loggers
from sscl_geo.run_folder import RunFolder

WORDS = [
    "pretrain", "scene.tif", "--encoder", "tu-test_resnet", "--steps", "10", "--batch-size", "2",
    "--patch-size", "32", "--accelerator", "cpu", "--out", "encoder.safetensors",
]  # fmt: skip


@pytest.fixture
def run(make_scene, tmp_path, monkeypatch) -> RunFolder:
    make_scene(np.random.default_rng(0).normal(100, 20, (2, 80, 96)).astype(np.float32))
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_MODE", "WANDB_PROJECT", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    return RunFolder(tmp_path / "encoder.run")


def last_loss(run: RunFolder) -> float:
    """What the table says, which is written whatever the loggers are."""
    table = pd.read_csv(run.metrics)
    assert table["step"].tolist() == list(range(1, 11))
    return float(table["loss"].iloc[-1])


def test_tensorboard_and_the_table_are_told_by_default(run: RunFolder) -> None:
    assert main(WORDS) == 0
    told = EventAccumulator(str(run.root / "tensorboard")).Reload()
    assert {"train_loss", "train_instance_std", "train_dense_rank"} <= set(told.Tags()["scalars"])
    (event,) = told.Scalars("train_loss")
    assert event.step == 9  # Lightning counts from 0
    assert event.value == pytest.approx(last_loss(run), rel=1e-5)


def test_mlflow_is_told_in_a_file_of_the_run(run: RunFolder) -> None:
    mlflow = pytest.importorskip("mlflow")
    assert main([*WORDS, "--logger", "mlflow"]) == 0
    client = mlflow.MlflowClient(f"sqlite:///{run.root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("sscl_geo")
    (told,) = client.search_runs([experiment.experiment_id])
    assert told.info.status == "FINISHED"
    assert told.info.run_name == run.root.name
    assert told.data.metrics["train_loss"] == pytest.approx(last_loss(run), rel=1e-5)
    assert told.data.params["encoder"] == "tu-test_resnet"
    assert not (run.root.parent / "mlruns").exists()


def test_wandb_is_told_in_a_folder_of_the_run_that_can_be_sent_later(
    run: RunFolder, monkeypatch
) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    assert main([*WORDS, "--logger", "wandb", "tensorboard"]) == 0
    (file,) = run.root.glob("wandb/offline-run-*/*.wandb")
    told = file.read_bytes()
    assert all(name in told for name in (b"train_instance_std", b"tu-test_resnet", b"sscl_geo"))
    assert last_loss(run) < 1
    assert wandb.run is None, "the next training of this process would go into this run"


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_logger_that_is_not_installed_is_one_sentence(
    name: str, run: RunFolder, capsys, monkeypatch
) -> None:
    found = f"lightning.pytorch.loggers.{name}._{name.upper()}_AVAILABLE"
    monkeypatch.setattr(found, False)  # as it is where the package is missing
    assert main([*WORDS, "--logger", name]) == 2
    told = capsys.readouterr().err.strip()
    assert told.count("\n") == 0
    assert f"run 'pip install {name}'" in told
    assert not run.metrics.exists()


def test_mlflow_without_its_server_is_one_sentence(tmp_path, monkeypatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for uri in ("http://127.0.0.1:9", "nonsense://server"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(ConfigError, match="correct MLFLOW_TRACKING_URI"):
            open_loggers(["mlflow"], tmp_path).__enter__()


def test_wandb_without_an_account_is_one_sentence(run: RunFolder, tmp_path) -> None:
    pytest.importorskip("wandb")
    # A process of its own: W&B reads its environment once.
    own = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")} | {
        "HOME": str(tmp_path)
    }
    words = [sys.executable, "-W", "ignore", "-m", "sscl_geo", *WORDS, "--logger", "wandb"]
    ended = subprocess.run(
        words, env=own, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "run 'wandb login', set WANDB_MODE=offline" in ended.stderr.strip().splitlines()[-1]


def test_tensorboard_forgets_what_came_after_the_checkpoint(tmp_path) -> None:
    with open_loggers(["tensorboard"], tmp_path, purge_after=7) as (logger,):
        assert logger.log_dir == str(tmp_path / "tensorboard")
        assert logger._kwargs["purge_step"] == 8


@pytest.mark.parametrize("variable", ["LOCAL_RANK", "RANK", "SLURM_PROCID"])
def test_other_processes_than_the_first_log_nothing(tmp_path, monkeypatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    with open_loggers(["tensorboard"], tmp_path / "run") as loggers:
        assert loggers == []
    assert not (tmp_path / "run").exists()
