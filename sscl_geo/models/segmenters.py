"""Segmentation networks by name."""

from typing import Literal

import segmentation_models_pytorch as smp
from torch import nn

from sscl_geo.bundle import Bundle
from sscl_geo.errors import BandError, BundleError, ConfigError
from sscl_geo.models.encoders import build_encoder
from sscl_geo.models.pixel_head import add_pixel_head
from sscl_geo.models.probe_networks import LinearProbe, NearestNeighbours

Decoder = Literal["unet", "unet++", "fpn", "deeplabv3+", "upernet", "segformer", "linear", "knn"]

SEGMENTERS: dict[str, type[nn.Module]] = {
    "unet": smp.Unet,
    "unet++": smp.UnetPlusPlus,
    "fpn": smp.FPN,
    "deeplabv3+": smp.DeepLabV3Plus,
    "upernet": smp.UPerNet,
    "segformer": smp.Segformer,
    "linear": LinearProbe,
    "knn": NearestNeighbours,
}
"""Networks that keep their encoder under ``encoder``; names that TorchGeo has are TorchGeo's."""

FROZEN = ("linear", "knn")
"""Those whose encoder is never trained."""

UNTRAINED = ("knn",)
"""Those that learn nothing by gradient."""


def build_segmenter(
    decoder: str, encoder: str, in_channels: int, classes: int, pixel_factors: int = 0
) -> nn.Module:
    """Build the network that TorchGeo's ``SemanticSegmentation`` builds, without Lightning.

    It maps (B, in_channels, H, W) to logits (B, classes, H, W); H and W must be multiples of its
    encoder's output stride. Names of weights are those of segmentation-models-pytorch.

    Args:
        decoder: a key of :data:`SEGMENTERS`.
        encoder: name of the encoder.
        in_channels: number of bands.
        classes: number of classes.
        pixel_factors: number of pixel factors that it sees beside, see
            :func:`~sscl_geo.models.pixel_head.add_pixel_head`.

    Raises:
        ConfigError: if there is no such decoder or encoder, or the decoder takes no factors.
    """
    if decoder not in SEGMENTERS:
        raise ConfigError(
            f"There is no segmentation model {decoder!r}; choose {', '.join(SEGMENTERS)}."
        )
    if pixel_factors and decoder in UNTRAINED:
        raise ConfigError(
            f"The decoder {decoder} is not trained and so cannot use pixel factors; "
            "leave them out, or choose another decoder."
        )
    try:
        network = SEGMENTERS[decoder](
            encoder_name=encoder, encoder_weights=None, in_channels=in_channels, classes=classes
        )
    except (KeyError, RuntimeError):
        build_encoder(encoder, in_channels)  # tells what is wrong with the name
        raise
    if pixel_factors:
        add_pixel_head(network, in_channels, classes, pixel_factors)
    return network


def load_encoder(network: nn.Module, bundle: Bundle, in_channels: int) -> None:
    """Put the weights of a pretrained encoder into a segmentation network.

    The decoder's too, if it was pretrained and the network's decoder is of the same kind, and the
    pixel factors, if the network sees some.

    Args:
        network: a network of :func:`build_segmenter` or of TorchGeo's task.
        bundle: an encoder's bundle.
        in_channels: number of bands that the network takes.

    Raises:
        BandError: if the bundle was trained on another number of bands.
        BundleError: if its weights are not those of the network's encoder, or it has another number
            of pixel factors than the network.
    """
    if len(bundle.bands) != in_channels:
        raise BandError(
            f"The encoder was pretrained on {len(bundle.bands)} bands ({', '.join(bundle.bands)}) "
            f"but {in_channels} are given; use scenes with the same bands, or pretrain on these."
        )
    factors = getattr(network, "pixel_factors", None)
    if factors is not None and len(factors.axes) != bundle.pixel_factors:
        raise BundleError(
            f"The encoder was pretrained with {bundle.pixel_factors} pixel factors but the network "
            f"takes {len(factors.axes)}; give the number that the bundle has, or none."
        )
    try:
        network.encoder.load_state_dict(bundle.encoder_weights)  # ty: ignore[missing-union-attribute]
        if bundle.decoder is not None and isinstance(network, SEGMENTERS[bundle.decoder]):
            network.decoder.load_state_dict(bundle.decoder_weights)  # ty: ignore[missing-union-attribute]
        if factors is not None:
            factors.load_state_dict(bundle.pixel_factor_weights)
    except RuntimeError as error:
        raise BundleError(
            f"The weights of the bundle ({bundle.encoder}) do not fit the encoder of this network; "
            f"fine-tune with the encoder {bundle.encoder!r} that was pretrained."
        ) from error
