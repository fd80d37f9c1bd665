"""The same training, started by Lightning, by torchrun and as Slurm would."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sscl_geo.bundle import load_bundle
from sscl_geo.run_folder import read_checkpoint

TRAIN = [
    "sscl_geo", "pretrain", "scene.tif", "--encoder", "tu-test_resnet", "--patch-size", "32",
    "--batch-size", "2", "--accelerator", "cpu", "--logger", "none", "--steps", "4",
    "--devices", "2", "--strategy", "ddp", "--out",
]  # fmt: skip
PYTHON = [sys.executable, "-W", "ignore", "-m"]


def start(folder: Path, words: list[str], **variables: str) -> subprocess.Popen[str]:
    own = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.Popen(
        [*PYTHON, *words],
        cwd=folder,
        env={**os.environ, **own, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_as_slurm_does(
    folder: Path, port: int, *options: str, **variables: str
) -> list[subprocess.Popen[str]]:
    """One process a task, which knows the others by its environment alone."""
    job = {
        "SLURM_JOB_ID": "77",
        "SLURM_JOB_NAME": "pretrain",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NNODES": "1",
        "SLURM_NODELIST": "localhost",
        "SLURM_NODEID": "0",
        "MASTER_PORT": str(port),
        **variables,
    }
    command = [*TRAIN, "slurm", *options]
    return [
        start(folder, command, **job, SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank))
        for rank in range(2)
    ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def finish(process: subprocess.Popen[str]) -> str:
    told, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors
    return told


def learnt(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / "metrics.csv")
    return table.drop(columns=["data_wait", "pairs_per_s", "memory_gib"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_lightning_torchrun_and_slurm_give_the_same_losses(make_scene, tmp_path: Path) -> None:
    make_scene(np.random.default_rng(0).normal(100, 20, (2, 80, 90)).astype(np.float32))
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "--module"]
    told = [
        finish(start(tmp_path, [*TRAIN, "lightning"])),
        finish(start(tmp_path, [*launcher, *TRAIN, "torchrun"])),
        "".join([finish(each) for each in start_as_slurm_does(tmp_path, free_port())]),
    ]
    assert [words.count("encoder.safetensors") for words in told] == [1, 1, 1]  # one speaks
    first, *others = (learnt(tmp_path / name) for name in ("lightning", "torchrun", "slurm"))
    assert first["step"].tolist() == [1, 2, 3, 4]
    weights = load_bundle(tmp_path / "lightning" / "encoder.safetensors").state_dict
    for name, table in zip(("torchrun", "slurm"), others, strict=True):
        pd.testing.assert_frame_equal(table, first)
        same = load_bundle(tmp_path / name / "encoder.safetensors").state_dict
        assert all(np.array_equal(same[key], weights[key]) for key in weights)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_tasks_of_a_slurm_job_end_when_one_hears_of_the_time_limit(
    make_scene, tmp_path: Path
) -> None:
    make_scene(np.random.default_rng(0).normal(100, 20, (2, 80, 90)).astype(np.float32))
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    (tmp_path / "scontrol").chmod(0o755)
    words = "--steps", "400", "--checkpoint-steps", "5"
    path = f"{tmp_path}:{os.environ['PATH']}"
    tasks = start_as_slurm_does(tmp_path, free_port(), *words, PATH=path)
    checkpoint = tmp_path / "slurm" / "checkpoints" / "last.ckpt"
    while not checkpoint.exists():
        assert tasks[0].poll() is None, tasks[0].communicate()
        time.sleep(0.01)
    tasks[1].send_signal(signal.SIGUSR1)
    errors = [task.communicate(timeout=300)[1] for task in tasks]
    assert [task.returncode for task in tasks] == [2, 2], errors
    assert "it is queued again" in errors[0]
    assert (tmp_path / "told").read_text() == "requeue 77\n"
    step = read_checkpoint(checkpoint)["global_step"]
    assert 10 <= step < 400
    assert step % 10 == 0
    words = "--steps", str(step + 4), "--checkpoint-steps", "5"
    for task in start_as_slurm_does(tmp_path, free_port(), *words, PATH=path):
        finish(task)
    assert learnt(tmp_path / "slurm")["step"].tolist() == list(range(1, step + 5))
