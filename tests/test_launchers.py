"""The same training, started by Lightning, by torchrun and as Slurm would."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sscl_geo.bundle import load_bundle

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


def start_as_slurm_does(folder: Path, port: int) -> list[subprocess.Popen[str]]:
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
    }
    return [
        start(folder, [*TRAIN, "slurm"], **job, SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank))
        for rank in range(2)
    ]


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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "--module"]
    told = [
        finish(start(tmp_path, [*TRAIN, "lightning"])),
        finish(start(tmp_path, [*launcher, *TRAIN, "torchrun"])),
        "".join([finish(each) for each in start_as_slurm_does(tmp_path, port)]),
    ]
    assert [words.count("encoder.safetensors") for words in told] == [1, 1, 1]  # one speaks
    first, *others = (learnt(tmp_path / name) for name in ("lightning", "torchrun", "slurm"))
    assert first["step"].tolist() == [1, 2, 3, 4]
    weights = load_bundle(tmp_path / "lightning" / "encoder.safetensors").state_dict
    for name, table in zip(("torchrun", "slurm"), others, strict=True):
        pd.testing.assert_frame_equal(table, first)
        same = load_bundle(tmp_path / name / "encoder.safetensors").state_dict
        assert all(np.array_equal(same[key], weights[key]) for key in weights)
