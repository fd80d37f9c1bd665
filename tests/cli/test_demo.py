import inspect
from dataclasses import fields
from pathlib import Path

import pytest

from sscl_geo.cli.demo import demo
from sscl_geo.cli.main import main
from sscl_geo.demo.settings import Settings


def test_defaults_on_the_command_line_are_those_of_the_library():
    parameters = inspect.signature(demo).parameters
    settings = Settings()
    shared = {f.name for f in fields(Settings)} & set(parameters)
    assert len(shared) >= 12
    for name in shared:
        assert parameters[name].default == getattr(settings, name), name


def test_quick_takes_few_steps_and_changes_nothing_else():
    changed = {
        f.name for f in fields(Settings)
        if getattr(Settings(), f.name) != getattr(Settings().quick(), f.name)
    }  # fmt: skip
    assert changed == {"pretrain_steps", "pretrain_batch", "finetune_steps", "finetune_batch"}


def test_a_scene_without_labels_ends_in_one_sentence(capsys):
    assert main(["demo", "--scene", "scene.tif"]) == 2
    error = capsys.readouterr().err
    assert "--labels" in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.slow
def test_the_demo_runs_on_the_sample_scene(tmp_path, capsys):
    assert main(["demo", "--quick", "--out", str(tmp_path / "demo")]) == 0
    printed = capsys.readouterr().out
    for word in ("OA", "kappa", "mIoU", "IoU forest", "pretrain", "CC BY-SA"):
        assert word in printed
    assert Path(tmp_path / "demo" / "report.html").stat().st_size > 100_000
    assert (tmp_path / "demo" / "config.yaml").is_file()
