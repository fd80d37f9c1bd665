"""A first guess from single pixels, for a network to improve on."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from sscl_geo.models.pixel_head import pixel_head_features
from sscl_geo.probing.classify import importance_of_rare, logistic_regression

_PIXELS_OF_BATCH = 2000
_DECAY = 1e-2


@torch.no_grad()
def start_from_pixels(network: Any, batches: Iterable[dict[str, Tensor]]) -> None:
    """Let a network with pixel factors begin with what a logistic regression of them says.

    With few labels that is hard to beat, and a network that begins with random logits would have to
    come back to it. So the last layer of the network itself begins with zeros: it learns what to
    add. Rare classes weigh more in the regression, by the root of how rare they are.

    Args:
        network: a network of :func:`~sscl_geo.models.segmenters.build_segmenter`, with pixel
            factors.
        batches: ``image`` (B, C, H, W) normalised, ``mask`` (B, H, W) class indices; other numbers
            are no label. The same few batches give the same start.
    """
    head = network.pixel_head
    classes = head.out_channels
    draw = torch.Generator().manual_seed(0)
    found: list[Tensor] = []
    labels: list[Tensor] = []
    for batch in batches:
        mask = batch["mask"].to(head.weight.device)
        features = pixel_head_features(network, batch["image"].to(head.weight.device))
        labelled = mask < classes
        known = features.movedim(1, -1)[labelled]
        chosen = torch.randperm(len(known), generator=draw)[:_PIXELS_OF_BATCH].to(known.device)
        found.append(known[chosen])
        labels.append(mask[labelled][chosen])
    x, y = torch.cat(found), torch.cat(labels).long()
    if not len(y):
        return
    importance = importance_of_rare(y, classes, power=0.5)
    weight, bias = logistic_regression(x, y, classes, _DECAY, importance)
    head.weight.copy_(weight.mT[:, :, None, None])
    head.bias.copy_(bias)
    for parameter in network.segmentation_head.parameters():
        nn.init.zeros_(parameter)
