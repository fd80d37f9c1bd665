"""A job of Slurm that reaches its time limit goes on where it was."""

import os
import signal
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

from sscl_geo.callbacks.slurm_job import SlurmJob
from sscl_geo.errors import TrainingError
from sscl_geo.pretraining import PretrainResult, pretrain

TINY = {
    "encoder_name": "tu-test_resnet",
    "accelerator": "cpu",
    "steps": 14,
    "batch_size": 2,
    "patch_size": 32,
    "task_options": {"projection_dim": 8, "hidden_dim": 16},
    "loggers": (),
}


class TimeLimit(pl.Callback):
    """Does what ``sbatch --signal=SIGUSR1@60`` asks Slurm for, in the middle of a step."""

    def on_before_optimizer_step(self, trainer, *_) -> None:
        if trainer.global_step == 3:
            os.kill(os.getpid(), signal.SIGUSR1)


@pytest.fixture
def scene(make_scene) -> str:
    array = np.random.default_rng(0).normal(100, 20, (2, 80, 90)).astype(np.float32)
    return str(make_scene(array))


@pytest.fixture
def slurm(monkeypatch, tmp_path) -> Path:
    """A job of one task; what ``scontrol`` was told stands in the file that is returned."""
    job = {"JOB_ID": "77", "JOB_NAME": "train", "NTASKS": "1", "PROCID": "0", "LOCALID": "0"}
    for name, value in (job | {"NNODES": "1", "NODEID": "0", "NODELIST": "localhost"}).items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    program, told = tmp_path / "bin" / "scontrol", tmp_path / "told"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return told


def go(scene: str, run: Path, **options) -> PretrainResult:
    return pretrain([scene], run=run, **{**TINY, **options})


def test_a_job_at_its_limit_is_saved_and_queued_and_goes_on_as_if_unbroken(
    scene, slurm, tmp_path
) -> None:
    with pytest.raises(TrainingError, match=r"last\.ckpt; it is queued again"):
        go(scene, tmp_path / "broken", callbacks=[TimeLimit()])
    assert slurm.read_text() == "requeue 77\n"
    assert torch.load(tmp_path / "broken/checkpoints/last.ckpt")["global_step"] == 10
    one, other = go(scene, tmp_path / "broken"), go(scene, tmp_path / "whole")
    assert len(one.history) == len(other.history) == 14
    assert one.history["loss"].equals(other.history["loss"])
    assert not list(tmp_path.glob("*.ckpt"))


def test_what_another_training_left_in_the_working_directory_is_not_taken(
    scene, slurm, tmp_path
) -> None:
    Path("hpc_ckpt_1.ckpt").write_bytes(b"of another training")
    assert len(go(scene, tmp_path / "run", steps=1).history) == 1


def test_a_job_that_cannot_be_queued_is_told(slurm, monkeypatch) -> None:
    job = SlurmJob()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TrainingError, match=r"could not be queued again .*; submit it again"):
        job.end(Path("last.ckpt"), is_first_rank=True)


def test_a_task_of_an_array_is_queued_by_its_number(slurm, monkeypatch) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "70")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    with pytest.raises(TrainingError, match="queued again"):
        SlurmJob().end(Path("last.ckpt"), is_first_rank=True)
    assert slurm.read_text() == "requeue 70_3\n"


def test_the_signal_does_afterwards_what_it_did_before(slurm) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    job = SlurmJob()
    job.listen()
    os.kill(os.getpid(), signal.SIGUSR1)
    assert job.is_ending
    job.stop_listening()
    assert signal.getsignal(signal.SIGUSR1) == before


def test_nobody_listens_where_slurm_is_not(monkeypatch) -> None:
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    before = signal.getsignal(signal.SIGUSR1)
    SlurmJob().listen()
    assert signal.getsignal(signal.SIGUSR1) == before
