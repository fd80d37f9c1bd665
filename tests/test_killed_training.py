"""A real process is killed at a random step; several real processes train together."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from sscl_geo.bundle import load_bundle

COMMAND = [
    sys.executable, "-W", "ignore", "-m", "sscl_geo", "pretrain", "scene.tif",
    "--encoder", "tu-test_resnet", "--patch-size", "32", "--batch-size", "2",
    "--accelerator", "cpu", "--checkpoint-steps", "5", "--logger", "none",
]  # fmt: skip


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    told, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    return told


def learnt(path: Path) -> pd.DataFrame:
    return pd.read_csv(path).drop(columns=["data_wait", "pairs_per_s", "memory_gib"])


@pytest.fixture
def folder(make_scene, tmp_path: Path) -> Path:
    make_scene(np.random.default_rng(0).normal(100, 20, (2, 80, 90)).astype(np.float32))
    return tmp_path


@pytest.mark.slow
def test_a_killed_training_goes_on_as_if_nothing_had_been(folder: Path) -> None:
    whole = start(folder, "--out", "whole", "--steps", "60")
    broken = start(folder, "--out", "broken", "--steps", "60")
    last = folder / "broken" / "checkpoints" / "last.ckpt"
    while not last.exists():
        assert broken.poll() is None, broken.communicate()
        time.sleep(0.01)
    time.sleep(random.SystemRandom().uniform(0, 0.5))
    broken.send_signal(signal.SIGKILL)
    assert broken.wait() == -signal.SIGKILL
    assert len(learnt(folder / "broken" / "metrics.csv")) < 60
    finish(whole)
    told = finish(start(folder, "--out", "broken", "--steps", "60"))
    assert "Going on from broken/checkpoints/last.ckpt" in told
    one, other = (learnt(folder / name / "metrics.csv") for name in ("whole", "broken"))
    assert len(one) == 60
    assert one.equals(other)
    first, second = (
        load_bundle(folder / name / "encoder.safetensors").state_dict
        for name in ("whole", "broken")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_two_processes_train_on_one_scene_and_go_on_after_a_break(folder: Path) -> None:
    together = ("--out", "run", "--devices", "2", "--strategy", "ddp")
    told = finish(start(folder, *together, "--steps", "4"))
    assert told.count("encoder run/encoder.safetensors") == 1  # one process speaks
    assert len(learnt(folder / "run" / "metrics.csv")) == 4
    told = finish(start(folder, *together, "--steps", "8"))
    assert told.count("4 of 8 steps done") == 1
    table = learnt(folder / "run" / "metrics.csv")
    assert table["step"].tolist() == list(range(1, 9))
    assert np.isfinite(table["loss"]).all()
