import json

import pytest

from sscl_geo.bundle import save_bundle
from sscl_geo.cli.export import export
from sscl_geo.errors import BundleError, ConfigError


@pytest.fixture
def encoder(make_bundle, tmp_path):
    bundle = make_bundle(kind="encoder", decoder=None, bands=("red",), classes=None)
    return save_bundle(bundle, tmp_path / "encoder.safetensors")


def test_a_stac_item_lists_the_exports_beside_the_model(encoder, tmp_path, capsys):
    (tmp_path / "encoder.onnx").touch()
    out = tmp_path / "encoder.mlm.json"
    assert export(encoder, out=out) == out
    assert str(out) in capsys.readouterr().out
    assets = json.loads(out.read_text(encoding="utf-8"))["assets"]
    assert {a["href"] for a in assets.values()} == {"./encoder.safetensors", "./encoder.onnx"}


@pytest.mark.parametrize("name", ["model.onnx", "model.pt2"])
def test_an_encoder_has_no_map_to_make(encoder, tmp_path, name):
    with pytest.raises(BundleError, match="holds an encoder"):
        export(encoder, out=tmp_path / name)


def test_another_ending_is_refused(encoder, tmp_path):
    with pytest.raises(ConfigError, match=r"\.onnx, \.pt2, \.json"):
        export(encoder, out=tmp_path / "model.h5")


def test_a_tile_is_for_onnx(encoder, tmp_path):
    with pytest.raises(ConfigError, match="--tile is for ONNX"):
        export(encoder, out=tmp_path / "model.pt2", tile=64)
