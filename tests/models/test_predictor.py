import dataclasses

import pytest
import torch

from sscl_geo.bundle import Bundle, load_bundle, save_bundle
from sscl_geo.classes import ClassTable
from sscl_geo.errors import BandError, BundleError, ConfigError
from sscl_geo.models.predictor import build_predictor
from sscl_geo.models.segmenters import SEGMENTERS, build_segmenter, load_encoder

MEAN, STD = (100.0, 50.0, 7.0), (20.0, 10.0, 0.0)


def bundle(decoder="unet"):
    torch.manual_seed(0)
    network = build_segmenter(decoder, "resnet18", 3, 4)
    return Bundle(
        kind="segmenter",
        encoder="resnet18",
        decoder=decoder,
        bands=("red", "nir", "flat"),
        mean=MEAN,
        std=STD,
        resolution=(30.0, 30.0),
        resolution_unit="metre",
        patch_size=64,
        classes=ClassTable.from_values([1, 2, 5, 9]),
        state_dict=network.state_dict(),
    )


def scene_like(height=64, width=64):
    torch.manual_seed(1)
    image = torch.randn(2, 3, height, width) * 20 + 100
    image[:, 2] = 7
    return image, torch.rand(2, height, width) > 0.1


@pytest.mark.parametrize("decoder", SEGMENTERS)
def test_a_saved_bundle_predicts_what_its_network_says(tmp_path, decoder):
    made = bundle(decoder)
    save_bundle(made, tmp_path / "model.safetensors")
    predictor = build_predictor(load_bundle(tmp_path / "model.safetensors", kind="segmenter"))
    image, valid = scene_like()
    network = build_segmenter(decoder, "resnet18", 3, 4)
    network.load_state_dict(made.state_dict)
    scaled = (image - torch.tensor(MEAN)[:, None, None]) / torch.tensor([20.0, 10, 1])[
        :, None, None
    ]
    expected = network.eval()(scaled * valid[:, None]).softmax(1)
    got = predictor(image, valid)
    assert torch.allclose(got, expected, atol=1e-6)
    assert 64 % predictor.stride == 0
    assert not predictor.training
    assert not got.requires_grad


def test_probabilities_are_float32_and_sum_to_one():
    predictor = build_predictor(bundle())
    with torch.autocast("cpu", torch.bfloat16):
        got = predictor(*scene_like())
    assert got.dtype == torch.float32
    assert torch.allclose(got.sum(1), torch.ones(2, 64, 64), atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (37, 64), (33, 95)])
def test_sizes_that_are_no_multiple_of_the_stride_work(shape):
    got = build_predictor(bundle())(*scene_like(*shape))
    assert got.shape == (2, 4, *shape)
    assert torch.isfinite(got).all()


def test_values_of_invalid_pixels_do_not_matter():
    predictor = build_predictor(bundle())
    image, valid = scene_like()
    spoilt = torch.where(valid[:, None], image, torch.tensor(float("nan")))
    assert torch.equal(predictor(image, valid), predictor(spoilt, valid))


def test_an_encoder_bundle_is_refused():
    encoder = dataclasses.replace(bundle(), kind="encoder", decoder=None, classes=None)
    with pytest.raises(BundleError, match="fine-tune"):
        build_predictor(encoder)


def test_weights_that_do_not_fit_are_refused():
    wrong = dataclasses.replace(bundle(), classes=ClassTable.from_values([1, 2]))
    with pytest.raises(BundleError, match="2 classes"):
        build_predictor(wrong)


@pytest.mark.parametrize(("decoder", "encoder"), [("resnet", "resnet18"), ("unet", "resnet1")])
def test_unknown_names_are_refused(decoder, encoder):
    with pytest.raises(ConfigError, match="choose"):
        build_segmenter(decoder, encoder, 3, 2)


def test_an_encoder_of_other_bands_or_another_name_is_refused():
    source = build_segmenter("unet", "resnet18", 3, 2)
    encoder = dataclasses.replace(
        bundle(), kind="encoder", decoder=None, classes=None, state_dict=source.encoder.state_dict()
    )
    target = build_segmenter("unet", "resnet18", 3, 4)
    load_encoder(target, encoder, 3)
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            source.encoder.state_dict().values(), target.encoder.state_dict().values(), strict=True
        )
    )
    with pytest.raises(BandError, match="pretrained on 3 bands"):
        load_encoder(build_segmenter("unet", "resnet18", 4, 2), encoder, 4)
    with pytest.raises(BundleError, match="'resnet18'"):
        load_encoder(build_segmenter("unet", "resnet34", 3, 2), encoder, 3)
