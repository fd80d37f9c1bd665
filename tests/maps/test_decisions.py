"""Maps of binary and multilabel models, against what the whole scene gives at once."""

import numpy as np
import pytest
import rasterio
import torch
from torch.nn import functional

from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.decision import Decision
from sscl_geo.errors import ConfigError
from sscl_geo.io.legend import read_legend
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.postprocess import PostProcessing
from sscl_geo.maps.segment import segment
from sscl_geo.models.predictor import Predictor

RADIUS = 3
TWO = ClassTable((LandCoverClass(4, "land", (1, 2, 3)), LandCoverClass(9, "water", (0, 0, 255))))
THREE = ClassTable.from_values([1, 2, 3], {1: "roof", 2: "solar panel", 3: "tree"})


def predictor(classes, decision):
    outputs = decision.outputs(len(classes))
    network = torch.nn.Conv2d(2, outputs, 2 * RADIUS + 1, padding=RADIUS)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        network.weight.copy_(torch.randn(network.weight.shape, generator=generator) / 8)
        network.bias.zero_()
    built = Predictor(
        network, (200.0, 200.0), (120.0, 120.0), ("red", "nir"), classes, 1, decision=decision
    )
    return built.eval().requires_grad_(requires_grad=False)


@pytest.fixture
def pixels(make_pixels):
    return make_pixels(151, 173, nodata_corner=True)


def segmented(make_scene, pixels, tmp_path, model, **options):
    scene = open_scene(make_scene(pixels, nodata=0))
    return segment(scene, model, tmp_path / "map.tif", tile=64, margin=8, **options)


def likely(model, pixels):
    """Sigmoid of the outputs for a scene seen at once, mirrored at its edges."""
    valid = (pixels != 0).all(axis=0)
    around = ((RADIUS, RADIUS), (RADIUS, RADIUS))
    image = torch.from_numpy(np.pad(pixels.astype(np.float32), ((0, 0), *around), mode="reflect"))
    shown = torch.from_numpy(np.pad(valid, around, mode="reflect"))
    network = model.network
    logits = functional.conv2d(
        model.normalize(image[None], shown[None]), network.weight, network.bias
    )
    return logits[0].sigmoid().numpy(), valid


def read(path):
    with rasterio.open(path) as source:
        return source.read()


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_a_binary_model_shows_its_second_class_from_the_threshold(
    make_scene, pixels, tmp_path, threshold
):
    model = predictor(TWO, Decision("binary", (threshold,)))
    layers = ["confidence", "entropy", "margin", "probabilities16"]
    made = segmented(make_scene, pixels, tmp_path, model, layers=layers)
    (p,), valid = likely(model, pixels)
    clear = valid & (abs(p - threshold) > 1e-4)
    found = read(made.class_map)[0]
    expected = np.where(p >= threshold, 9, 4)
    np.testing.assert_array_equal(found[clear], expected[clear])
    assert {4, 9} <= set(np.unique(found))
    assert (found[~valid] == 255).all()
    assert read_legend(made.class_map).names == {4: "land", 9: "water"}
    shown = np.where(p >= threshold, p, 1 - p)
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    for name, values in {
        "confidence": 100 * shown,
        "entropy": 100 * entropy,
        "margin": 100 * np.maximum(2 * shown - 1, 0),
    }.items():
        np.testing.assert_allclose(read(made.layers[name])[0][clear], values[clear], atol=0.6)
    both = read(made.layers["probabilities16"])
    np.testing.assert_allclose(both[:, valid], np.stack([1 - p, p])[:, valid], atol=1e-3)


@pytest.mark.parametrize("thresholds", [(), (0.3, 0.5, 0.7)])
def test_a_multilabel_model_gives_each_class_a_band(make_scene, pixels, tmp_path, thresholds):
    model = predictor(THREE, Decision("multilabel", thresholds))
    layers = ["confidence", "entropy", "margin", "disagreement", "probabilities"]
    made = segmented(make_scene, pixels, tmp_path, model, layers=layers)
    p, valid = likely(model, pixels)
    least = np.array(thresholds or (0.5,) * 3)[:, None, None]
    with rasterio.open(made.class_map) as source:
        assert source.descriptions == THREE.names
        assert (source.dtypes, source.nodata) == (("uint8",) * 3, 255)
        found = source.read()
    clear = valid & (abs(p - least) > 1e-4)
    np.testing.assert_array_equal(found[clear], (p >= least)[clear])
    assert (found[:, ~valid] == 255).all()
    assert (made.style, made.attributes) == (None, None)
    several = found[:, valid].sum(axis=0)
    assert {0, 2} <= set(several.tolist())  # none and several, not one alone
    shown = np.where(p >= least, p, 1 - p)
    with rasterio.open(made.layers["confidence"]) as source:
        assert source.descriptions == THREE.names
        np.testing.assert_allclose(source.read()[clear], 100 * shown[clear], atol=0.6)
    margin = read(made.layers["margin"])
    np.testing.assert_allclose(margin[clear], np.maximum(200 * shown - 100, 0)[clear], atol=0.7)
    np.testing.assert_allclose(
        read(made.layers["probabilities"])[:, valid], 250 * p[:, valid], atol=0.6
    )
    assert read(made.layers["disagreement"]).shape[0] == 1


@pytest.mark.parametrize("options", [{"post": PostProcessing(majority=3)}, {"polygons": "p.gpkg"}])
def test_what_needs_one_class_a_pixel_is_refused_before_work_starts(
    make_scene, pixels, tmp_path, options
):
    model = predictor(THREE, Decision("multilabel"))
    options = {name: tmp_path / x if name == "polygons" else x for name, x in options.items()}
    with pytest.raises(ConfigError, match="any number of classes"):
        segmented(make_scene, pixels, tmp_path, model, **options)
    assert not (tmp_path / "map.tif").exists()
