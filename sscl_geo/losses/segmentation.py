"""Losses of labelled pixels: cross-entropy, focal, dice, and mixes of them."""

import re
from collections.abc import Sequence

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from sscl_geo.errors import ConfigError
from sscl_geo.losses.focal import FocalLoss

LOSSES = ("ce", "focal", "dice")
"""Cross-entropy; focal loss (Lin et al., 2017); soft dice loss (Milletari et al., 2016)."""

_TERM = re.compile(r"(?:(\d*\.?\d+)\*)?([a-z]+)")


class SegmentationLoss(nn.Module):
    """A weighted sum of losses, such as ``"ce+0.5*dice"``, over labelled pixels.

    0 with zero gradient, not NaN, for a batch without labels.

    Args:
        mix: names of :data:`LOSSES` joined by ``+``, with a weight before ``*`` where it is not 1.
        ignore_index: class index of pixels without a label.
        class_weights: weight of each class in cross-entropy and focal loss; dice compares classes,
            which weigh the same there.

    Raises:
        ConfigError: if the mix cannot be read, or class weights come with dice alone.

    Example:
        >>> import torch
        >>> from sscl_geo.losses.segmentation import SegmentationLoss
        >>> logits, mask = torch.zeros(1, 4, 8, 8), torch.zeros(1, 8, 8, dtype=torch.long)
        >>> round(float(SegmentationLoss("ce")(logits, mask)), 4)  # log(4)
        1.3863
    """

    def __init__(
        self,
        mix: str = "ce",
        ignore_index: int = 255,
        class_weights: Sequence[float] | Tensor | None = None,
    ) -> None:
        super().__init__()
        self.weights = parse_mix(mix)
        self.ignore_index = ignore_index
        if class_weights is not None and set(self.weights) == {"dice"}:
            raise ConfigError(
                f"Class weights belong to cross-entropy and focal loss, which the loss {mix!r} "
                "lacks; add one, as in 'ce+dice', or leave the weights out."
            )
        weight = None if class_weights is None else torch.as_tensor(class_weights).float()
        built = {
            # PyTorch's mean is NaN for a batch of classes that weigh nothing.
            "ce": lambda: FocalLoss(0, ignore_index, weight),
            "focal": lambda: FocalLoss(2, ignore_index, weight),
            "dice": lambda: smp.losses.DiceLoss("multiclass", ignore_index=ignore_index),
        }
        self.parts = nn.ModuleDict({name: built[name]() for name in self.weights})

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Compute the loss in float32.

        Args:
            logits: shape (B, K, H, W).
            mask: class indices (B, H, W).

        Returns:
            scalar.
        """
        if not (mask != self.ignore_index).any():
            return logits.sum() * 0
        with torch.autocast(logits.device.type, enabled=False):
            terms = [
                weight * self.parts[name](logits.float(), mask)
                for name, weight in self.weights.items()
            ]
        return torch.stack(terms).sum()


def parse_mix(mix: str) -> dict[str, float]:
    """Weight of each loss by name.

    Raises:
        ConfigError: if the mix cannot be read, names an unknown loss, or names one twice.

    Example:
        >>> from sscl_geo.losses.segmentation import parse_mix
        >>> parse_mix("ce + 0.5*dice")
        {'ce': 1.0, 'dice': 0.5}
    """
    found: dict[str, float] = {}
    for term in mix.replace(" ", "").split("+"):
        read = _TERM.fullmatch(term)
        if read is None or read[2] not in LOSSES or read[2] in found or not float(read[1] or 1):
            raise ConfigError(
                f"The loss {mix!r} cannot be read; join {', '.join(LOSSES)} by +, each once, with "
                "a weight above 0, without an exponent, where it is not 1, as in 'ce+0.5*dice'."
            )
        found[read[2]] = float(read[1] or 1)
    return found
