"""``sscl-geo pretrain`` and ``embed``: what they leave behind, and what they refuse."""

import numpy as np
import pandas as pd
import pytest
import rasterio

from sscl_geo.bundle import load_bundle
from sscl_geo.cli.main import main

SMALL = [
    "--encoder", "tu-test_resnet", "--steps", "2", "--batch-size", "2", "--patch-size", "32",
    "--accelerator", "cpu",
]  # fmt: skip


@pytest.fixture
def workplace(make_scene, tmp_path, monkeypatch):
    array = np.random.default_rng(0).normal(100, 20, (2, 80, 96)).astype(np.float32)
    make_scene(array)
    make_scene(np.kron(np.eye(2), np.ones((40, 48)))[None].astype(np.uint8) + 1, name="labels.tif")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys, *words: str) -> str:
    assert main(["pretrain", "scene.tif", *SMALL, *words]) == 2
    errors = capsys.readouterr().err.strip()
    assert errors.count("\n") == 0
    return errors


def test_a_run_leaves_bundle_table_pictures_checkpoint_and_logs(workplace) -> None:
    assert main(["pretrain", "scene.tif", *SMALL, "--probe-labels", "labels.tif"]) == 0
    names = {path.name for path in (workplace / "encoder.run").iterdir()}
    assert names == {
        "checkpoints",
        "metrics.csv",
        "statistics.csv",
        "curves.png",
        "pca.png",
        "tensorboard",
    }
    table = pd.read_csv(workplace / "encoder.run" / "metrics.csv")
    assert table["step"].tolist() == [1, 2]
    assert {"loss", "instance_std", "dense_rank", "overlap", "probe_miou"} <= set(table)
    assert list((workplace / "encoder.run" / "tensorboard").glob("events*"))
    assert load_bundle("encoder.safetensors").encoder == "tu-test_resnet"
    assert (workplace / "encoder.config.yaml").is_file()


def test_a_folder_holds_run_and_bundle(workplace, capsys) -> None:
    words = ["pretrain", "scene.tif", *SMALL, "--out", "runs/one", "--logger", "none"]
    assert main(words) == 0
    assert load_bundle("runs/one/encoder.safetensors").kind == "encoder"
    assert (workplace / "runs/one/config.yaml").is_file()
    assert "Going on" not in capsys.readouterr().out
    assert main(words) == 0
    assert "Going on from runs/one/checkpoints/last.ckpt, 2 of 2 steps" in capsys.readouterr().out
    assert main(["embed", "scene.tif", "--model", "runs/one/encoder.safetensors", "--out", "e.tif",
                 "--tile", "64", "--margin", "16", "--cell", "4"]) == 0  # fmt: skip
    with rasterio.open("e.tif") as embedding:
        assert embedding.shape == (20, 24)
        assert embedding.count == 3
        assert embedding.tags()["SSCL_GEO_BUNDLE"] == "encoder.safetensors"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--batch-size", "1"], "2 pairs"),
        (["--method", "bayol"], "no method 'bayol'"),
        (["--option", "momentum"], "not NAME=VALUE"),
        (["--option", "lr=0.1"], "give --lr"),
        (["--option", "momentun=0.9"], "no option momentun"),
        (["--accumulate", "0"], "at least 1 of each"),
        (["--weights", "nowhere.pth"], "nowhere.pth"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(workplace, capsys, words, sentence) -> None:
    assert sentence in refused(capsys, *words)
