import os
import subprocess
import sys

import numpy as np
import pytest

from sscl_geo.bundle import load_bundle
from sscl_geo.cli.evaluate import evaluate
from sscl_geo.cli.finetune import finetune


@pytest.fixture
def files(make_scene):
    rng = np.random.default_rng(0)
    truth = rng.integers(1, 3, (1, 64, 64)).astype(np.uint8)
    scene = make_scene(rng.normal(100, 9, (2, 64, 64)).astype(np.float32), name="scene.tif")
    return scene, make_scene(truth, name="labels.tif"), make_scene(truth, name="map.tif")


def test_finetune_writes_a_model_and_its_curves(files, tmp_path):
    scene, labels, _ = files
    out = tmp_path / "new" / "model.safetensors"
    options = {"patch_size": 32, "batch_size": 2, "steps": 2, "accelerator": "cpu"}
    assert finetune(scene, labels, out=out, license="CC-BY-4.0", **options) == out
    bundle = load_bundle(out)
    assert (bundle.kind, bundle.license) == ("segmenter", "CC-BY-4.0")
    assert len((tmp_path / "new" / "model.history.csv").read_text().splitlines()) == 3


def test_evaluate_prints_figures_and_writes_them(files, tmp_path, capsys):
    _, labels, path = files
    out = tmp_path / "metrics.csv"
    assert evaluate(path, labels, out=out) == out
    assert "OA 100.0 %, kappa 1.000, mIoU 100.0 %" in capsys.readouterr().out
    assert out.exists()
    assert (tmp_path / "metrics_confusion.csv").exists()


def test_evaluate_returns_nothing_when_it_writes_nothing(files):
    _, labels, path = files
    assert evaluate(path, labels) is None


@pytest.mark.parametrize("missing", ["map", "labels", "blocks"])
def test_a_missing_file_ends_in_one_sentence(files, tmp_path, missing):
    _, labels, path = files
    gone = str(tmp_path / "gone.tif")
    words = [str(path), str(labels)]
    if missing == "blocks":
        words += ["--within", gone]
    else:
        words[["map", "labels"].index(missing)] = gone
    done = subprocess.run(
        [sys.executable, "-m", "sscl_geo", "evaluate", *words],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "There is no file" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
