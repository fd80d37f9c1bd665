"""A network with a pixel head sees single pixels and their surroundings at full resolution."""

from dataclasses import replace

import pytest
import torch

from sscl_geo.bundle import Bundle, load_bundle, save_bundle
from sscl_geo.classes import ClassTable
from sscl_geo.errors import BundleError, ConfigError
from sscl_geo.models.pixel_factors import PixelFactors
from sscl_geo.models.predictor import build_predictor
from sscl_geo.models.segmenters import SEGMENTERS, UNTRAINED, build_segmenter, load_encoder
from sscl_geo.models.surroundings import with_surroundings

ENCODER = "tu-test_resnet"


def network_of(decoder: str = "fpn", factors: int = 3) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_segmenter(decoder, ENCODER, 2, 3, factors).eval()


def bundle_of(network: torch.nn.Module, **changes) -> Bundle:
    bundle = Bundle(
        kind="segmenter",
        encoder=ENCODER,
        decoder="fpn",
        bands=("red", "nir"),
        mean=(5.0, 7.0),
        std=(2.0, 3.0),
        resolution=(10.0, 10.0),
        resolution_unit="metre",
        patch_size=64,
        classes=ClassTable.from_values([1, 2, 3]),
        state_dict=network.state_dict(),
    )
    return replace(bundle, **changes)


def encoder_bundle(factors: int) -> Bundle:
    torch.manual_seed(1)
    state = build_segmenter("fpn", ENCODER, 2, 2).encoder.state_dict()
    if factors:
        learned = PixelFactors(2, factors)
        learned.axes.normal_()
        state |= {f"pixel_factors.{name}": x for name, x in learned.state_dict().items()}
    nothing = torch.nn.Identity()
    return bundle_of(nothing, kind="encoder", decoder=None, classes=None, state_dict=state)


@pytest.mark.parametrize("decoder", [name for name in SEGMENTERS if name not in UNTRAINED])
def test_the_network_says_all_at_first(decoder) -> None:
    with_head, without = network_of(decoder), network_of(decoder, factors=0)
    without.load_state_dict(with_head.state_dict(), strict=False)
    image = torch.randn(1, 2, 64, 64)
    with torch.no_grad():
        assert torch.equal(with_head(image), without(image))


def test_its_logits_are_added_pixel_by_pixel() -> None:
    network, image = network_of(), torch.randn(1, 2, 64, 64)
    with torch.no_grad():
        before = network(image)
        network.pixel_factors.axes.normal_()
        network.pixel_head.weight.normal_()
        seen = with_surroundings(network.pixel_factors(image))
        expected = torch.einsum("kc,bchw->bkhw", network.pixel_head.weight[:, :, 0, 0], seen)
        torch.testing.assert_close(network(image) - before, expected, rtol=1e-4, atol=1e-4)


def test_only_the_head_gets_a_gradient() -> None:
    network = network_of()
    network.pixel_factors.axes.normal_()
    network(torch.randn(2, 2, 64, 64)).sum().backward()
    assert network.pixel_head.weight.grad.any()
    assert not list(network.pixel_factors.parameters())


def test_a_bundle_keeps_it(tmp_path) -> None:
    network = network_of()
    network.pixel_factors.axes.normal_()
    torch.nn.init.normal_(network.pixel_head.weight)
    save_bundle(bundle_of(network), tmp_path / "model.safetensors")
    predictor = build_predictor(load_bundle(tmp_path / "model.safetensors"))
    image = torch.randn(1, 2, 64, 64)
    raw = image * torch.tensor([2.0, 3.0])[:, None, None] + torch.tensor([5.0, 7.0])[:, None, None]
    with torch.no_grad():
        found = predictor.scores(raw, torch.ones(1, 64, 64, dtype=torch.bool))
        torch.testing.assert_close(found, network(image), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "odd",
    [
        {"pixel_factors.waves": torch.zeros(400, 5)},
        {"pixel_factors.axes": torch.zeros(0, 402)},
        {"pixel_factors.axes": torch.zeros(())},
        {"pixel_factors.offset": torch.zeros(9)},
        {"pixel_head.weight": torch.zeros(3, 1, 1, 1)},
    ],
)
def test_a_bundle_with_odd_factors_is_refused(tmp_path, odd) -> None:
    network = network_of()
    path = tmp_path / "odd.safetensors"
    save_bundle(bundle_of(network, state_dict=network.state_dict() | odd), path)
    with pytest.raises(BundleError, match=r"do not fit|damaged"):
        build_predictor(load_bundle(path))


def test_factors_come_from_the_encoders_bundle() -> None:
    network, bundle = network_of(), encoder_bundle(3)
    load_encoder(network, bundle, 2)
    for name, value in bundle.pixel_factor_weights.items():
        assert torch.equal(network.pixel_factors.state_dict()[name], value)


@pytest.mark.parametrize("factors", [0, 4])
def test_another_number_of_factors_is_refused(factors) -> None:
    with pytest.raises(BundleError, match=f"with {factors} pixel factors but the network takes 3"):
        load_encoder(network_of(), encoder_bundle(factors), 2)


def test_a_network_without_factors_leaves_those_of_a_bundle() -> None:
    network = network_of(factors=0)
    load_encoder(network, encoder_bundle(3), 2)
    assert not hasattr(network, "pixel_factors")


def test_what_is_not_trained_cannot_use_them() -> None:
    with pytest.raises(ConfigError, match="knn is not trained"):
        build_segmenter("knn", ENCODER, 2, 3, pixel_factors=2)
