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

PROGRAM = [sys.executable, "-W", "ignore", "-m", "sscl_geo"]
COMMON = [
    "--patch-size", "32", "--batch-size", "2", "--accelerator", "cpu", "--checkpoint-steps", "5",
]  # fmt: skip
PRETRAIN = [
    *PROGRAM, "pretrain", "scene.tif", *COMMON, "--encoder", "tu-test_resnet", "--logger", "none",
]  # fmt: skip
FINETUNE = [
    *PROGRAM, "finetune", "scene.tif", "labels.tif", *COMMON, "--encoder-name", "tu-test_resnet",
    "--decoder", "fpn", "--val-share", "0.3", "--patience", "9", "--steps", "80", "--lr", "0.01",
]  # fmt: skip


def start(folder: Path, *options: str, command: list[str] = PRETRAIN) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, *options],
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


def kill(process: subprocess.Popen[str], checkpoint: Path) -> None:
    """Kill a training at some moment after its first checkpoint."""
    while not checkpoint.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    time.sleep(random.SystemRandom().uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def check_same_weights(one: Path, other: Path) -> None:
    first, second = load_bundle(one), load_bundle(other)
    assert first.provenance == second.provenance
    assert all(torch.equal(v, second.state_dict[name]) for name, v in first.state_dict.items())


def learnt(path: Path) -> pd.DataFrame:
    return pd.read_csv(path).drop(columns=["data_wait", "pairs_per_s", "memory_gib"])


@pytest.fixture
def folder(make_scene, tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    make_scene(rng.normal(100, 20, (2, 80, 90)).astype(np.float32))
    labels = rng.choice([1, 2, 255], (1, 80, 90), p=[0.1, 0.1, 0.8]).astype(np.uint8)
    make_scene(labels, name="labels.tif", nodata=255)
    return tmp_path


@pytest.mark.slow
def test_a_killed_training_goes_on_as_if_nothing_had_been(folder: Path) -> None:
    whole = start(folder, "--out", "whole", "--steps", "60")
    broken = start(folder, "--out", "broken", "--steps", "60")
    kill(broken, folder / "broken" / "checkpoints" / "last.ckpt")
    assert len(learnt(folder / "broken" / "metrics.csv")) < 60
    finish(whole)
    told = finish(start(folder, "--out", "broken", "--steps", "60"))
    assert "Going on from broken/checkpoints/last.ckpt" in told
    one, other = (learnt(folder / name / "metrics.csv") for name in ("whole", "broken"))
    assert len(one) == 60
    assert one.equals(other)
    check_same_weights(*(folder / name / "encoder.safetensors" for name in ("whole", "broken")))


@pytest.mark.slow
def test_a_killed_fine_tuning_goes_on_as_if_nothing_had_been(folder: Path) -> None:
    whole = start(folder, "--out", "whole.safetensors", command=FINETUNE)
    broken = start(folder, "--out", "broken.safetensors", command=FINETUNE)
    kill(broken, folder / "broken.run" / "checkpoints" / "last.ckpt")
    assert not (folder / "broken.safetensors").exists()
    finish(whole)
    told = finish(start(folder, "--out", "broken.safetensors", command=FINETUNE))
    assert "Going on from broken.run/checkpoints/last.ckpt" in told
    assert not (folder / "broken.run").exists()
    one, other = (pd.read_csv(folder / f"{name}.history.csv") for name in ("whole", "broken"))
    assert one.equals(other)
    check_same_weights(*(folder / f"{name}.safetensors" for name in ("whole", "broken")))


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
