"""Encoders by name, for any number of bands."""

from segmentation_models_pytorch.encoders import get_encoder
from torch import nn

from sscl_geo.errors import ConfigError
from sscl_geo.models.weights import fit_weights, is_elsewhere, read_weights


def build_encoder(name: str, in_channels: int, weights: str | None = None) -> nn.Module:
    """Build an encoder of segmentation-models-pytorch.

    It maps an image to a list of features at strides 1, 2, 4 … 32. Its state dict is that of the
    encoder of the same name inside a U-Net, DeepLabV3+ and so on, of segmentation-models-pytorch
    and of TorchGeo's ``SemanticSegmentation``.

    Args:
        name: a name of segmentation-models-pytorch (``resnet18``) or, with the prefix ``tu-``, of
            timm (``tu-convnext_tiny``).
        in_channels: number of bands.
        weights: None for random ones; a name of segmentation-models-pytorch (``imagenet``); a file
            (.pth, .safetensors; also an encoder's bundle); or a full name of TorchGeo's weights
            (``ResNet50_Weights.SENTINEL2_ALL_MOCO``). Weights for three bands are inflated to any
            number, others must have been trained on as many.

    Raises:
        ConfigError: if there is no such encoder or no such weights, or they do not fit.
    """
    if weights is not None and is_elsewhere(weights):
        encoder = build_encoder(name, in_channels)
        fit_weights(encoder, read_weights(weights), weights)
        return encoder
    try:
        return get_encoder(name, in_channels=in_channels, depth=5, weights=weights)
    except (KeyError, RuntimeError, NotImplementedError) as error:
        reason = str(error).strip("\"'").split(", supported")[0].rstrip(".")
        raise ConfigError(
            f"Cannot build the encoder {name!r} with weights {weights!r} ({reason}); choose a name "
            "of segmentation-models-pytorch such as resnet18, or tu- and a name of timm."
        ) from error
    except OSError as error:
        raise ConfigError(
            f"The weights {weights!r} of the encoder {name} could not be fetched "
            f"({str(error).splitlines()[0]}); check the network, or give them as a file."
        ) from error


def feature_channels(encoder: nn.Module) -> list[int]:
    """Channels of an encoder's features at strides 1, 2, 4 …; 0 where it has none."""
    return list(encoder.out_channels)  # ty: ignore[invalid-argument-type]
