"""A training that was broken off and goes on is the training that was not."""

import lightning.pytorch as pl
import numpy as np
import pandas as pd
import pytest
import torch

from sscl_geo.errors import TrainingError
from sscl_geo.pretraining import PretrainResult, pretrain
from sscl_geo.run_folder import RunFolder
from sscl_geo.trainer_options import TrainerOptions

TINY = {
    "encoder_name": "tu-test_resnet",  # half a million weights
    "steps": 6,
    "batch_size": 2,
    "patch_size": 32,
    "task_options": {"projection_dim": 8, "hidden_dim": 16, "monitor_every": 2},
    "loggers": (),
}


class Break(pl.Callback):
    """Ends a training in the middle of a step, as a fault would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_before_optimizer_step(self, trainer, *_) -> None:
        if trainer.global_step == self.step:
            raise KeyError("the machine went down")


@pytest.fixture
def scene(make_scene) -> str:
    array = np.random.default_rng(0).normal(100, 20, (2, 80, 90)).astype(np.float32)
    return str(make_scene(array))


def broken(scene: str, run, at: int, every: int, **options) -> None:
    options = {**TINY, "accelerator": "cpu", **options}
    with pytest.raises(KeyError, match="went down"):
        pretrain([scene], run=run, checkpoint_steps=every, callbacks=[Break(at)], **options)


def go(scene: str, run, **options) -> PretrainResult:
    return pretrain([scene], run=run, **{**TINY, "accelerator": "cpu", **options})


def learnt(history: pd.DataFrame) -> pd.DataFrame:
    """What depends on the seed alone, not on how fast the machine is."""
    return history.drop(columns=["data_wait", "pairs_per_s", "memory_gib"])


def same(one: PretrainResult, other: PretrainResult) -> bool:
    first, second = one.bundle.state_dict, other.bundle.state_dict
    return learnt(one.history).equals(learnt(other.history)) and all(
        torch.equal(first[name], second[name]) for name in first
    )


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="sscl"),
        pytest.param({"method": "moco", "steps": 5}, id="moco and its queue"),
        pytest.param(
            {"trainer_options": TrainerOptions("cpu", accumulate=2), "steps": 5}, id="accumulation"
        ),
    ],
)
def test_nothing_differs_after_a_break(scene: str, tmp_path, options) -> None:
    whole = go(scene, tmp_path / "whole", **options)
    broken(scene, tmp_path / "broken", at=4, every=3, **options)
    assert same(go(scene, tmp_path / "broken", **options), whole)


def test_the_table_of_a_resumed_run_is_whole(scene: str, tmp_path) -> None:
    broken(scene, tmp_path / "run", at=4, every=3)
    written = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert written["step"].tolist() == [1, 2, 3]
    result = go(scene, tmp_path / "run")
    written = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert written["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert written["loss"].tolist() == pytest.approx(result.history["loss"].tolist())


def test_the_statistics_of_the_bands_lie_beside_the_run(scene: str, tmp_path) -> None:
    mean = go(scene, tmp_path, steps=2).bundle.mean
    table = pd.read_csv(tmp_path / "statistics.csv")
    assert table["mean"].tolist() == pytest.approx(list(mean))


def test_a_finished_run_is_not_done_again(scene: str, tmp_path) -> None:
    first = go(scene, tmp_path)
    at = RunFolder(tmp_path).last.stat().st_mtime_ns
    assert same(go(scene, tmp_path), first)
    assert RunFolder(tmp_path).last.stat().st_mtime_ns == at


def test_a_run_can_be_made_longer(scene: str, tmp_path) -> None:
    go(scene, tmp_path, steps=2)
    assert go(scene, tmp_path, steps=4).history["step"].tolist() == [1, 2, 3, 4]


def test_other_options_are_refused_by_name(scene: str, tmp_path) -> None:
    go(scene, tmp_path, steps=1)
    with pytest.raises(TrainingError, match=r"patch_size 32, not 64; choose another --out"):
        go(scene, tmp_path, patch_size=64)
    with pytest.raises(TrainingError, match=r"lr 0\.001, not 0\.5"):
        go(scene, tmp_path, lr=0.5)
    with pytest.raises(TrainingError, match=r"task SSCCL, not SimCLR"):
        go(scene, tmp_path, method="simclr")


def test_another_number_of_workers_is_refused_as_it_changes_the_order(scene: str, tmp_path) -> None:
    go(scene, tmp_path, steps=1)
    with pytest.raises(TrainingError, match="num_workers 0, not 1"):
        go(scene, tmp_path, num_workers=1)


def test_a_new_start_forgets_the_old_checkpoint(scene: str, tmp_path) -> None:
    go(scene, tmp_path, steps=1)
    broken(scene, tmp_path, at=0, every=1, resume=False, patch_size=64)
    assert RunFolder(tmp_path).step() is None


def test_a_damaged_checkpoint_is_one_sentence(scene: str, tmp_path) -> None:
    last = RunFolder(tmp_path).last
    last.parent.mkdir()
    last.write_bytes(b"PK not a checkpoint")
    with pytest.raises(TrainingError, match=r"Cannot read the checkpoint .*last\.ckpt"):
        go(scene, tmp_path)


def test_a_checkpoint_with_code_is_not_run(scene: str, tmp_path) -> None:
    last = RunFolder(tmp_path).last
    last.parent.mkdir()
    torch.save({"global_step": Break(1)}, last)
    with pytest.raises(TrainingError, match="Cannot read the checkpoint"):
        go(scene, tmp_path)


def test_what_a_killed_writer_left_is_removed(scene: str, tmp_path) -> None:
    folder = RunFolder(tmp_path).checkpoints
    folder.mkdir()
    (folder / ".last.123-abc.partial.ckpt").touch()
    go(scene, tmp_path, steps=1)
    assert [path.name for path in folder.iterdir()] == ["last.ckpt"]
