"""Encoders by name, for any number of bands."""

from segmentation_models_pytorch.encoders import get_encoder
from torch import nn

from sscl_geo.errors import ConfigError


def build_encoder(name: str, in_channels: int, weights: str | None = None) -> nn.Module:
    """Build an encoder of segmentation-models-pytorch.

    It maps an image to a list of features at strides 1, 2, 4 … 32. Its state dict is that of the
    encoder of the same name inside a U-Net, DeepLabV3+ and so on, of segmentation-models-pytorch
    and of TorchGeo's ``SemanticSegmentation``.

    Args:
        name: a name of segmentation-models-pytorch (``resnet18``) or, with the prefix ``tu-``, of
            timm (``tu-convnext_tiny``).
        in_channels: number of bands.
        weights: name of pretrained weights (``imagenet``), or None for random ones. The first layer
            is inflated to the number of bands.

    Raises:
        ConfigError: if there is no such encoder or no such weights.
    """
    try:
        return get_encoder(name, in_channels=in_channels, depth=5, weights=weights)
    except (KeyError, RuntimeError, NotImplementedError) as error:
        reason = str(error).strip("\"'").split(", supported")[0].rstrip(".")
        raise ConfigError(
            f"Cannot build the encoder {name!r} with weights {weights!r} ({reason}); choose a name "
            "of segmentation-models-pytorch such as resnet18, or tu- and a name of timm."
        ) from error
