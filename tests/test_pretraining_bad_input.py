"""Scenes and options that pretraining must live with, or refuse in one sentence."""

import warnings

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sscl_geo.bundle import load_bundle
from sscl_geo.cli.main import main
from sscl_geo.embedding.embedder import build_embedder
from sscl_geo.errors import (
    ConfigError,
    ConstantBandWarning,
    SamplingError,
    SceneError,
    TrainingError,
)
from sscl_geo.models.encoders import build_encoder
from sscl_geo.pretraining import PretrainResult, pretrain
from sscl_geo.tasks.methods import METHODS

SMALL = {"projection_dim": 16, "hidden_dim": 32}
TINY = {
    "encoder_name": "tu-test_resnet",
    "steps": 2,
    "batch_size": 2,
    "patch_size": 32,
    "accelerator": "cpu",
    "task_options": SMALL,
}


@pytest.fixture
def pixels() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(100, 20, (2, 80, 90)).astype(np.float32)


def is_finite(result: PretrainResult) -> bool:
    weights = [v for v in result.bundle.state_dict.values() if v.is_floating_point()]
    return bool(np.isfinite(result.history["loss"]).all()) and all(
        torch.isfinite(v).all() for v in weights
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_count_as_no_data(make_scene, pixels, value: float) -> None:
    pixels[0, 10:40, 20:60] = value
    result = pretrain([make_scene(pixels)], min_valid=0.0, **TINY)
    assert is_finite(result)
    assert result.history["valid"].iloc[-1] < 1
    assert result.bundle.mean == pytest.approx((100, 100), abs=2)


def test_a_scene_of_nothing_else_is_refused(make_scene, pixels) -> None:
    pixels[:] = np.nan
    with pytest.raises(SceneError, match="no valid pixel"):
        pretrain([make_scene(pixels)], **TINY)


def test_a_constant_band_is_told_and_trained_with(make_scene, pixels, tmp_path) -> None:
    pixels[1] = 7
    scene = make_scene(pixels, descriptions=("red", "empty"))
    out = tmp_path / "encoder.safetensors"
    with pytest.warns(ConstantBandWarning, match="same value everywhere in the band empty,"):
        result = pretrain([scene], out=out, **TINY)
    assert is_finite(result)
    assert load_bundle(out).std[1] == 0
    image = torch.from_numpy(pixels[None, :, :64, :64])
    features = build_embedder(load_bundle(out))(image, torch.ones(1, 64, 64, dtype=torch.bool))
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("preset", ["sar", "sar_db"])
def test_radar_presets_live_with_a_constant_band(make_scene, pixels, preset: str) -> None:
    scene = make_scene(np.stack([pixels[0], np.full((80, 90), 0.1)]))  # 0.1 in float64
    with pytest.warns(ConstantBandWarning):
        assert is_finite(pretrain([scene], preset=preset, **TINY))


def test_scenes_of_one_value_are_refused(make_scene, pixels) -> None:
    pixels[:] = 7
    with pytest.raises(TrainingError, match="nothing to learn"):
        pretrain([make_scene(pixels)], **TINY)


def test_views_without_data_are_trained_with_where_they_are_asked_for(make_scene, pixels) -> None:
    pixels[:, :78] = -1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert is_finite(pretrain([make_scene(pixels, nodata=-1)], min_valid=0.0, **TINY))


def test_too_little_data_for_a_view_is_refused(make_scene, pixels) -> None:
    pixels[:, :70] = -1
    with pytest.raises(SamplingError, match="at least 50% valid pixels in each view"):
        pretrain([make_scene(pixels, nodata=-1)], **TINY)


@pytest.mark.parametrize("method", METHODS)
def test_pairs_that_share_no_ground_are_trained_with(make_scene, pixels, method: str) -> None:
    result = pretrain([make_scene(pixels)], method=method, overlap=(0, 0), **TINY)
    assert is_finite(result)


@pytest.mark.parametrize("method", METHODS)
def test_two_pairs_are_enough_for_every_method(make_scene, pixels, method: str) -> None:
    assert is_finite(pretrain([make_scene(pixels)], method=method, **TINY))


def test_weights_for_other_bands_are_refused(make_scene, pixels, tmp_path) -> None:
    torch.save(build_encoder("tu-test_resnet", 13).state_dict(), tmp_path / "w.pth")
    weights = {"weights": str(tmp_path / "w.pth")}
    with pytest.raises(ConfigError, match="take 13 bands but the scenes have 2"):
        pretrain([make_scene(pixels)], **TINY | {"task_options": SMALL | weights})


def test_a_run_with_other_bands_does_not_go_on(make_scene, pixels, tmp_path) -> None:
    pretrain([make_scene(pixels)], run=tmp_path / "run", loggers=(), **TINY)
    with pytest.raises(TrainingError, match="in_channels 2, not 1"):
        pretrain([make_scene(pixels[:1])], run=tmp_path / "run", loggers=(), **TINY)


def test_the_command_line_refuses_a_batch_of_one_pair_in_a_line(
    make_scene, pixels, capsys, monkeypatch, tmp_path
) -> None:
    monkeypatch.chdir(tmp_path)
    make_scene(pixels)
    assert main(["pretrain", "scene.tif", "--batch-size", "1", "--accelerator", "cpu"]) == 2
    told = capsys.readouterr().err.strip()
    assert told.count("\n") == 0
    assert "2 pairs" in told
