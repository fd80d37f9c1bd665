"""Segmentation networks that add next to nothing to a frozen encoder."""

from typing import Any

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn

from sscl_geo.models.hypercolumns import hypercolumns

_CELL = 4
_NEIGHBOURS = 20
_TEMPERATURE = 0.1
_LEAST_SHARE = 1e-4


class FrozenNetwork(nn.Module):
    """An encoder whose levels are stacked in cells of 4 pixels, and what makes classes of them.

    The arguments are those of segmentation-models-pytorch. The encoder stays in evaluation mode and
    gets no gradient: only what a subclass adds is learned.

    Args:
        encoder_name: name of the encoder.
        encoder_weights: weights of segmentation-models-pytorch; random if None.
        in_channels: number of bands.
        classes: number of classes.
    """

    def __init__(
        self,
        encoder_name: str = "resnet18",
        encoder_weights: str | None = None,
        in_channels: int = 3,
        classes: int = 2,
    ) -> None:
        super().__init__()
        self.encoder: Any = get_encoder(
            encoder_name, in_channels=in_channels, depth=5, weights=encoder_weights
        )
        self.encoder.requires_grad_(requires_grad=False)
        self.classes = classes
        levels = enumerate(self.encoder.out_channels)
        self.width = sum(width for level, width in levels if 2**level >= _CELL)

    def train(self, mode: bool = True) -> "FrozenNetwork":
        """Set training mode of all but the encoder."""
        super().train(mode)
        self.encoder.eval()
        return self

    def features(self, image: Tensor) -> Tensor:
        """Features (B, ``width``, H / 4, W / 4) of normalised images (B, C, H, W)."""
        return hypercolumns(self.encoder(image), _CELL)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, classes, H, W) of normalised images (B, C, H, W)."""
        logits = self.classify(self.features(image))
        return F.interpolate(logits, size=image.shape[-2:], mode="bilinear", align_corners=False)

    def classify(self, cells: Tensor) -> Tensor:
        """Logits (B, classes, h, w) of features (B, ``width``, h, w)."""
        raise NotImplementedError


class LinearProbe(FrozenNetwork):
    """A linear classifier of each cell: what frozen features know of classes.

    Features are standardised by their running mean and deviation, then a 1 x 1 convolution gives
    the logits, which are interpolated to pixels.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.standardize = nn.BatchNorm2d(self.width, affine=False)
        self.segmentation_head = nn.Conv2d(self.width, self.classes, 1)
        # From zero, so that channels which never vary cannot disturb.
        nn.init.zeros_(self.segmentation_head.weight)

    def classify(self, cells: Tensor) -> Tensor:
        """Logits of features."""
        return self.segmentation_head(self.standardize(cells))


class NearestNeighbours(FrozenNetwork):
    """The classes of the most similar labelled cells, by cosine: nothing is trained.

    The vote of the 20 nearest, weighted by ``exp(cosine / 0.1)`` as in Wu et al. (CVPR 2018,
    section 3.4). Logits are logarithms of the shares, so that a softmax gives the shares back.
    """

    references: Tensor
    reference_classes: Tensor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register_buffer("references", torch.zeros(1, self.width))
        self.register_buffer("reference_classes", torch.zeros(1, dtype=torch.long))
        self.register_load_state_dict_pre_hook(_take_size)

    def remember(self, features: Tensor, classes: Tensor) -> None:
        """Set what is known: features (N, ``width``) and class indices (N)."""
        self.references = F.normalize(features, dim=1)
        self.reference_classes = classes

    def classify(self, cells: Tensor) -> Tensor:
        """Logits of features."""
        rows = F.normalize(cells.flatten(2).mT, dim=2)
        logits = self._vote(rows).clamp(min=_LEAST_SHARE).log()
        return logits.mT.unflatten(2, (cells.shape[-2], cells.shape[-1]))

    def _vote(self, rows: Tensor) -> Tensor:
        count = min(_NEIGHBOURS, len(self.references))
        cosine, nearest = (rows @ self.references.mT).topk(count, dim=-1)
        weight = torch.softmax(cosine / _TEMPERATURE, dim=-1)
        classes = F.one_hot(self.reference_classes[nearest], self.classes).to(weight.dtype)
        return (weight[..., None] * classes).sum(dim=-2)


def _take_size(
    network: NearestNeighbours, state_dict: dict[str, Tensor], prefix: str, *_: Any
) -> None:
    """Make room for as many references as a file holds: their number is known from it alone."""
    found = state_dict.get(f"{prefix}references")
    if found is not None and found.ndim:
        network.references = torch.zeros(len(found), network.width)
        network.reference_classes = torch.zeros(len(found), dtype=torch.long)
