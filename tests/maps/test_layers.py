import numpy as np
import pytest
import rasterio
import torch
from scipy.stats import entropy as scipy_entropy

from sscl_geo.classes import ClassTable
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.layers import (
    LAYER_NAMES,
    WithPeak,
    class_layer,
    disagreement,
    entropy,
    margin,
    most_probable,
)
from sscl_geo.maps.segment import segment


@pytest.fixture
def probabilities():
    generator = torch.Generator().manual_seed(0)
    return torch.randn((5, 70, 90), generator=generator).mul(3).softmax(dim=0)


def test_the_most_probable_class_is_that_of_argmax_also_among_equals(probabilities):
    coarse = (probabilities * 4).round()
    np.testing.assert_array_equal(most_probable(coarse), coarse.numpy().argmax(axis=0))


def test_256_classes_leave_room_for_nodata():
    classes = ClassTable.from_values(range(256))
    layer = class_layer(classes)
    assert layer.dtype == "uint16"
    index = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
    assert str(layer.from_index(index).dtype) == "torch.uint16"


def test_entropy_is_that_of_scipy_as_a_share_of_the_largest(probabilities):
    expected = scipy_entropy(probabilities.double().numpy(), base=5)
    np.testing.assert_allclose(entropy(probabilities), expected, atol=1e-6)


def test_entropy_of_certainty_is_nothing():
    assert entropy(torch.eye(3)[:, :, None]).abs().max() == 0


def test_margin_is_the_lead_over_the_next_class(probabilities):
    ordered = np.sort(probabilities.numpy(), axis=0)
    np.testing.assert_allclose(margin(probabilities), ordered[-1] - ordered[-2], rtol=1e-6)


def test_tiles_that_name_one_class_do_not_disagree():
    tiles = torch.tensor([[[0.9, 0.1]], [[0.6, 0.4]]]).permute(0, 2, 1)
    blended = WithPeak(lambda x, _: x)(tiles[..., None], None).mean(dim=0)
    assert disagreement(blended).abs().max() < 1e-6


def test_tiles_that_are_sure_of_different_classes_disagree_by_a_half():
    tiles = torch.eye(2)[:, :, None, None]
    assert disagreement(WithPeak(lambda x, _: x)(tiles, None).mean(dim=0)).item() == 0.5


@pytest.fixture
def made(make_scene, make_pixels, convolution, tmp_path):
    scene = open_scene(make_scene(make_pixels(151, 173, nodata_corner=True), nodata=0))
    return segment(scene, convolution, tmp_path / "m.tif", tile=64, margin=8, layers=LAYER_NAMES)


def test_layers_hold_what_the_whole_scene_gives(made, make_pixels, convolution):
    pixels = make_pixels(151, 173, nodata_corner=True)
    valid = (pixels != 0).all(axis=0)
    whole = torch.from_numpy(convolution.whole(np.where(valid, pixels, 0).astype(np.float32)))
    expected = {
        "confidence": 100 * whole.amax(dim=0)[None],
        "entropy": 100 * entropy(whole)[None],
        "margin": 100 * margin(whole)[None],
        "disagreement": torch.zeros((1, 151, 173)),
        "probabilities": 250 * whole,
        "probabilities16": whole,
    }
    for name, values in expected.items():
        with rasterio.open(made.layers[name]) as target:
            found, mask = target.read(), target.dataset_mask()
        np.testing.assert_array_equal(mask > 0, valid)
        tolerance = 1e-3 if name == "probabilities16" else 0.51
        np.testing.assert_allclose(found[:, valid], values[:, valid].numpy(), atol=tolerance)


def test_layers_say_what_they_are(made, convolution):
    with rasterio.open(made.layers["entropy"]) as target:
        assert (target.descriptions, target.units, target.nodata) == (
            ("entropy",),
            ("percent",),
            255,
        )
    with rasterio.open(made.layers["probabilities"]) as target:
        assert target.descriptions == convolution.classes.names
        assert target.scales == (1 / 250,) * 3
    with rasterio.open(made.layers["probabilities16"]) as target:
        assert target.dtypes == ("float16",) * 3
        assert np.isnan(target.nodata)
