"""The pair sampler in a real distributed run: two processes, gloo."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sscl_geo import OverlapPairSampler, SceneDataset

DRAW = """
import json, sys
import torch.distributed as dist
from sscl_geo import OverlapPairSampler, SceneDataset

scene, out = sys.argv[1:]
dist.init_process_group("gloo")
sampler = OverlapPairSampler(SceneDataset(scene), size=16, length=64, seed=5)
keys = [index.pixel_to_scene.ravel().tolist() for index in sampler]
open(f"{out}.{dist.get_rank()}", "w").write(json.dumps(keys))
dist.destroy_process_group()
"""

FIT = """
import json, sys
import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_only
from sscl_geo import PairDataModule, SSCCL
from sscl_geo.training import quiet_lightning

class Seen(pl.Callback):
    keys = []
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.keys += batch["scene"].tolist()
        self.sampler = type(trainer.train_dataloader.sampler).__name__

scene, out = sys.argv[1:]
seen = Seen()
with quiet_lightning():
    trainer = pl.Trainer(
        max_epochs=2, accelerator="cpu", devices=1, num_nodes=2, strategy="ddp", logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[seen],
    )
    data = PairDataModule([scene], patch_size=32, batch_size=4, length=16)
    trainer.fit(SSCCL("resnet18", 2, projection_dim=8, hidden_dim=16), datamodule=data)
found = {"sampler": seen.sampler, "pairs": len(seen.keys), "epoch": data.sampler.epoch}
open(f"{out}.{trainer.global_rank}", "w").write(json.dumps(found))
"""


def run_ranks(script: str, scene: Path, out: Path, variables: list[dict[str, str]]) -> list:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    base = {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "WORLD_SIZE": "2",
        "OMP_NUM_THREADS": "1",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", script, str(scene), str(out)],
            env={**base, **own},
            stderr=subprocess.PIPE,
            text=True,
        )
        for own in variables
    ]
    for process in processes:
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
    return [json.loads(out.with_name(f"{out.name}.{rank}").read_text()) for rank in (0, 1)]


@pytest.fixture
def scene(make_scene) -> Path:
    return make_scene(np.random.default_rng(0).integers(1, 255, (2, 90, 120)).astype(np.uint8))


@pytest.mark.slow
def test_two_processes_share_out_the_epoch_of_one(scene: Path, tmp_path: Path) -> None:
    ranks = [{"RANK": "0"}, {"RANK": "1"}]
    first, second = run_ranks(DRAW, scene, tmp_path / "keys", ranks)
    alone = OverlapPairSampler(SceneDataset(scene), size=16, length=64, seed=5)
    keys = [index.pixel_to_scene.ravel().tolist() for index in alone]
    assert len(first) == len(second) == 32
    assert sorted(first + second) == sorted(keys)


@pytest.mark.slow
def test_lightning_leaves_the_sampler_alone_and_sets_its_epoch(scene: Path, tmp_path) -> None:
    ranks = [{"NODE_RANK": str(r), "LOCAL_RANK": "0"} for r in (0, 1)]
    for found in run_ranks(FIT, scene, tmp_path / "fit", ranks):
        assert found == {"sampler": "OverlapPairSampler", "pairs": 16, "epoch": 1}
