"""Pixel factors are written as an embedding whose cells are single pixels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from sscl_geo.bundle import Bundle, load_bundle, save_bundle
from sscl_geo.embedding.embed import embed
from sscl_geo.embedding.embedder import build_embedder
from sscl_geo.errors import BundleError
from sscl_geo.io.scene import open_scene
from sscl_geo.models.pixel_factors import PixelFactors
from sscl_geo.pretraining import pretrain


@pytest.fixture
def scene(make_scene) -> Path:
    values = np.random.default_rng(0).normal(100, 20, (2, 150, 170)).astype(np.float32)
    return make_scene(values)


@pytest.fixture
def bundle(scene: Path, tmp_path) -> Bundle:
    path = tmp_path / "encoder.safetensors"
    pretrain(
        [scene],
        out=path,
        encoder_name="tu-test_resnet",
        steps=2,
        batch_size=4,
        patch_size=32,
        task_options={"pixel_factors": 3},
    )
    return load_bundle(path)


def test_each_pixel_gets_its_own_factors(scene, bundle, tmp_path) -> None:
    options = {"components": None, "dtype": "float16", "tile": 64, "margin": 0}
    embed(open_scene(scene), build_embedder(bundle, cell=1), tmp_path / "f.tif", **options)
    with rasterio.open(scene) as source, rasterio.open(tmp_path / "f.tif") as written:
        assert (written.shape, written.transform) == (source.shape, source.transform)
        values, found = source.read(), written.read()
    mean, std = (np.array(x)[:, None, None] for x in (bundle.mean, bundle.std))
    image = torch.from_numpy(((values - mean) / std).astype(np.float32))[None]
    expected = PixelFactors.of_weights(bundle.pixel_factor_weights)(image)[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


def test_the_encoder_loads_as_without_them(bundle) -> None:
    assert not any(name.startswith("pixel_factors") for name in bundle.encoder_weights)
    build_embedder(bundle, cell=8)


def test_a_bundle_without_them_says_so(bundle) -> None:
    without = replace(bundle, state_dict=bundle.encoder_weights)
    with pytest.raises(BundleError, match="no pixel factors"):
        build_embedder(without, cell=1)


def test_factors_of_other_bands_are_refused(bundle, tmp_path) -> None:
    weights = bundle.state_dict | {"pixel_factors.waves": torch.zeros(400, 5)}
    save_bundle(replace(bundle, state_dict=weights), tmp_path / "odd.safetensors")
    with pytest.raises(BundleError, match="do not fit its 2 bands"):
        build_embedder(load_bundle(tmp_path / "odd.safetensors"), cell=1)
