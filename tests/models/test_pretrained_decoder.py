"""Decoders that pretraining trained, in fine-tuning."""

import pytest
import torch

from sscl_geo.bundle import Bundle
from sscl_geo.models.segmenters import build_segmenter, load_encoder
from sscl_geo.tasks.methods import build_task


def bundle_of(decoder: str | None) -> Bundle:
    task = build_task("sscl", encoder="resnet18", in_channels=2, hidden_dim=16, decoder=decoder)
    return Bundle(
        kind="encoder",
        encoder="resnet18",
        decoder=decoder,
        bands=("a", "b"),
        mean=(0.0, 0.0),
        std=(1.0, 1.0),
        resolution=(10.0, 10.0),
        resolution_unit="metre",
        patch_size=64,
        classes=None,
        state_dict={k.removeprefix("encoder."): v for k, v in task.segmenter_state().items()},
    )


@pytest.mark.parametrize("decoder", ["unet", "deeplabv3+", "upernet", "segformer"])
def test_a_pretrained_decoder_starts_the_network_of_its_kind(decoder: str) -> None:
    bundle, network = bundle_of(decoder), build_segmenter(decoder, "resnet18", 2, 3)
    load_encoder(network, bundle, 2)
    for part, weights in (
        (network.encoder, bundle.encoder_weights),
        (network.decoder, bundle.decoder_weights),
    ):
        state = part.state_dict()
        assert state.keys() == weights.keys()
        assert all(torch.equal(state[k], v) for k, v in weights.items())


def test_another_decoder_starts_anew_with_the_pretrained_encoder() -> None:
    bundle, network = bundle_of("unet"), build_segmenter("deeplabv3+", "resnet18", 2, 3)
    before = {k: v.clone() for k, v in network.decoder.state_dict().items()}
    load_encoder(network, bundle, 2)
    assert all(torch.equal(network.decoder.state_dict()[k], v) for k, v in before.items())
    first = next(iter(bundle.encoder_weights))
    assert torch.equal(network.encoder.state_dict()[first], bundle.encoder_weights[first])


def test_an_encoder_without_a_decoder_has_no_weights_of_one() -> None:
    assert bundle_of(None).decoder_weights == {}
