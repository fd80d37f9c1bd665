"""Encoders by name."""

import pytest
import segmentation_models_pytorch as smp
import torch

from sscl_geo.errors import ConfigError
from sscl_geo.models.encoders import build_encoder


@pytest.mark.parametrize("bands", [1, 4, 13])
def test_any_number_of_bands(bands: int) -> None:
    features = build_encoder("resnet18", bands).eval()(torch.randn(1, bands, 32, 32))
    assert [f.shape[-1] for f in features] == [32, 16, 8, 4, 2, 1]


def test_its_weights_load_strictly_into_a_segmentation_model() -> None:
    model = smp.Unet("resnet18", encoder_weights=None, in_channels=5, classes=3)
    model.encoder.load_state_dict(build_encoder("resnet18", 5).state_dict(), strict=True)


@pytest.mark.parametrize(
    ("name", "weights"), [("nope", None), ("tu-nope", None), ("resnet18", "x")]
)
def test_unknown_names_are_one_short_sentence(name: str, weights: str | None) -> None:
    with pytest.raises(ConfigError, match="Cannot build the encoder") as caught:
        build_encoder(name, 4, weights)
    assert len(str(caught.value)) < 320
