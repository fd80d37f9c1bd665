"""From raw pixels to dense features: all that an embedding needs of an encoder."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from sscl_geo.bundle import Bundle
from sscl_geo.errors import BundleError
from sscl_geo.io.units import BandUnits
from sscl_geo.models.encoders import build_encoder
from sscl_geo.models.hypercolumns import hypercolumns
from sscl_geo.models.pixel_factors import PixelFactors
from sscl_geo.transforms.normalize import Normalize

Grid = Literal["cells", "pixels"]


class Embedder(nn.Module):
    """Normalise, encode, and give features for each cell or pixel.

    Args:
        encoder: maps normalised images (B, C, H, W) to features at strides 1, 2, 4 ….
        mean: mean of each band, raw units.
        std: standard deviation of each band, raw units.
        bands: names of the bands, in order.
        cell: pixels per cell of the features.
        stride: the encoder's largest downsampling.
        units: those of ``mean`` and ``std``; None if not known, so that any are taken.
    """

    def __init__(
        self,
        encoder: nn.Module,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        bands: tuple[str, ...],
        cell: int = 8,
        stride: int = 32,
        units: BandUnits | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.normalize = Normalize(mean, std)
        self.bands = bands
        self.cell = cell
        self.stride = stride
        self.units = units

    def in_units(self, units: BandUnits, path: str) -> "Embedder":
        """The embedder for scenes in other units; it shares the encoder.

        Args:
            units: those of the scene's bands, in the order of ``bands``.
            path: the scene, for messages.

        Raises:
            UnitsError: if it is not told how the units compare.
        """
        if self.units is None:
            return self
        mean, std = self.normalize.in_units(self.units, units, path)
        other = type(self)(self.encoder, mean, std, self.bands, self.cell, self.stride, units)
        return other.to(self.normalize.mean.device).eval()

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Features of each cell.

        Args:
            image: float32 of shape (B, C, H, W), raw units, sides multiples of ``stride``.
            valid: bool of shape (B, H, W); pixels without data are shown as the bands' means.

        Returns:
            float32 of shape (B, D, H / cell, W / cell).
        """
        return hypercolumns(self.encoder(self.normalize(image, valid)), self.cell)


class FactorEmbedder(Embedder):
    """Normalise, and give the pixel factors of each pixel: an :class:`Embedder` of cells of 1."""

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Factors of each pixel, as :meth:`Embedder.forward` gives features of cells."""
        return self.encoder(self.normalize(image, valid))


class PixelEmbedder(nn.Module):
    """Features of an :class:`Embedder`, projected and given to each pixel.

    Args:
        embedder: gives features of cells.
        mean: shape (D); subtracted.
        components: shape (N, D); what features are projected on.
        grid: ``"pixels"`` interpolates bilinearly between cell centres; ``"cells"`` gives each
            pixel the value of its cell.
    """

    def __init__(self, embedder: Embedder, mean: Tensor, components: Tensor, grid: Grid) -> None:
        super().__init__()
        self.embedder = embedder
        self.components = nn.Buffer(components[:, :, None, None])
        self.offset = nn.Buffer(-(components @ mean))
        self.grid = grid

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Values of each pixel, float32 of shape (B, N, H, W)."""
        cells = F.conv2d(self.embedder(image, valid), self.components, self.offset)
        if self.grid == "cells":
            factor = self.embedder.cell
            return cells.repeat_interleave(factor, -2).repeat_interleave(factor, -1)
        # align_corners=False places a cell's value at the centre of its pixels, to half a pixel.
        return F.interpolate(cells, size=image.shape[-2:], mode="bilinear", align_corners=False)


def build_embedder(bundle: Bundle, cell: int = 8) -> Embedder:
    """Build the embedder of a bundle, on the CPU, in evaluation mode.

    Args:
        bundle: what ``pretrain`` or ``finetune`` wrote; of a segmenter, its encoder is taken.
        cell: pixels per cell of the features, a power of 2 up to the encoder's largest stride; 1
            for the pixel factors that were learned beside the encoder.

    Raises:
        BundleError: if the weights do not fit the description, there is no such cell, or no pixel
            factors were learned.

    Example:
        >>> import torch
        >>> from sscl_geo import load_bundle
        >>> from sscl_geo.embedding.embedder import build_embedder
        >>> embedder = build_embedder(load_bundle(model_path), cell=16)
        >>> embedder(torch.rand(1, 3, 64, 64), torch.ones(1, 64, 64, dtype=torch.bool)).shape
        torch.Size([1, 768, 4, 4])
    """
    if cell == 1:
        return _factor_embedder(bundle)
    encoder = build_encoder(bundle.encoder, len(bundle.bands))
    try:
        encoder.load_state_dict(bundle.encoder_weights)
    except RuntimeError as error:
        raise BundleError(
            f"The weights of the bundle do not fit the encoder {bundle.encoder} with "
            f"{len(bundle.bands)} bands; pretrain again."
        ) from error
    stride = 2 ** (len(encoder.out_channels) - 1)  # ty: ignore[invalid-argument-type]
    if cell not in [2**i for i in range(1, stride.bit_length())]:
        raise BundleError(
            f"The encoder {bundle.encoder} has no features with cells of {cell} pixels; "
            f"choose 2, 4, 8 … {stride}."
        )
    embedder = Embedder(encoder, bundle.mean, bundle.std, bundle.bands, cell, stride, bundle.units)
    return embedder.eval().requires_grad_(requires_grad=False)


def _factor_embedder(bundle: Bundle) -> FactorEmbedder:
    weights = bundle.pixel_factor_weights
    if not weights:
        raise BundleError(
            "The bundle has no pixel factors, which cells of 1 pixel need; pretrain with "
            "--pixel-factors 20, or choose cells of 2, 4, 8 … pixels."
        )
    try:
        factors = PixelFactors.of_weights(weights)
        fits = factors.waves.shape[1] == len(bundle.bands)
    except (KeyError, IndexError, TypeError, RuntimeError):
        fits = False
    if not fits:
        raise BundleError(
            f"The pixel factors of the bundle do not fit its {len(bundle.bands)} bands; pretrain "
            "again."
        )
    embedder = FactorEmbedder(factors, bundle.mean, bundle.std, bundle.bands, 1, 1, bundle.units)
    return embedder.eval().requires_grad_(requires_grad=False)
