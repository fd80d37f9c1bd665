"""Rivals and decoders through pretraining, from files to a bundle."""

import numpy as np
import pytest
import torch

from sscl_geo.finetuning import finetune
from sscl_geo.pretraining import pretrain
from sscl_geo.report.pretraining import curve_panels
from sscl_geo.run_folder import RunFolder, read_checkpoint

TINY = {"steps": 1, "batch_size": 4, "patch_size": 32, "accelerator": "cpu"}
SMALL = {"projection_dim": 16, "hidden_dim": 32}


@pytest.fixture
def scene(make_scene) -> str:
    return str(make_scene(np.random.default_rng(0).normal(size=(2, 256, 384)).astype(np.float32)))


def test_the_queue_fits_the_scenes(scene: str, tmp_path) -> None:
    pretrain(
        [scene],
        method="moco",
        encoder_name="tu-test_resnet",
        zoom=(0.5, 2.0),
        run=tmp_path / "run",
        task_options=SMALL,
        **TINY,
    )
    options = read_checkpoint(RunFolder(tmp_path / "run").last)["hyper_parameters"]
    # 8 x 12 views of 32 pixels side by side.
    assert options["queue_size"] == 32


@pytest.mark.parametrize(
    ("method", "terms"),
    [("sscl", ["instance", "spatial", "semantic"]), ("vicregl", ["instance", "dense"])],
)
def test_the_loss_is_drawn_beside_its_terms_alone(scene: str, method, terms) -> None:
    made = pretrain(
        [scene], method=method, encoder_name="tu-test_resnet", task_options=SMALL, **TINY
    )
    panels = curve_panels(made.history.columns)
    assert sorted(panels["Loss and its terms"]) == sorted(["loss", *terms])


def test_a_decoder_goes_from_pretraining_to_fine_tuning(scene: str, make_scene, tmp_path) -> None:
    labels = np.zeros((1, 256, 384), np.uint8)
    labels[:, :100], labels[:, 100:200] = 1, 2
    labels = make_scene(labels, "labels.tif", nodata=0)
    path = tmp_path / "encoder.safetensors"
    made = pretrain([scene], task_options=SMALL | {"decoder": "unet"}, out=path, **TINY).bundle
    assert made.decoder == "unet"
    tuned = finetune(
        scene, labels, encoder=path, steps=1, batch_size=2, patch_size=64, lr=0.0, accelerator="cpu"
    ).bundle
    for name, value in made.decoder_weights.items():
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(tuned.decoder_weights[name], value), name
