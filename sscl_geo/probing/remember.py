"""Labelled cells for the nearest neighbours to be looked for among."""

from collections.abc import Iterable

import torch
from torch import Tensor

from sscl_geo.errors import TrainingError
from sscl_geo.models.probe_networks import NearestNeighbours


@torch.no_grad()
def remember_cells(
    network: NearestNeighbours, batches: Iterable[dict[str, Tensor]], most: int = 250
) -> None:
    """Let a network remember labelled cells, as many of each class as there are up to a number.

    A cell has the label that most of its labelled pixels have, so that single pixels count too.

    Args:
        network: to be filled.
        batches: ``image`` (B, C, H, W) normalised, ``mask`` (B, H, W) class indices.
        most: greatest number of cells of a class; the first ones are taken. The similarities of a
            batch's cells to all of them are held in memory at once.

    Raises:
        TrainingError: if no pixel has a label.
    """
    network.eval()
    device = next(network.encoder.parameters()).device
    features: dict[int, list[Tensor]] = {k: [] for k in range(network.classes)}
    counts = dict.fromkeys(features, 0)
    for batch in batches:
        cells = network.features(batch["image"].to(device))
        labels = _of_cells(batch["mask"].to(device), cells.shape[-1], network.classes)
        for k in labels[labels >= 0].unique().tolist():
            rows = cells.movedim(1, -1)[labels == k][: most - counts[k]]
            features[k].append(rows)
            counts[k] += len(rows)
        if min(counts.values()) >= most:
            break
    known = [rows for k in features for rows in features[k]]
    if not known:
        raise TrainingError(
            "There is no labelled pixel to remember; give labels that lie on the scenes."
        )
    classes = torch.cat([torch.full((counts[k],), k, device=device) for k in features])
    network.remember(torch.cat(known), classes)


def _of_cells(mask: Tensor, across: int, classes: int) -> Tensor:
    """The most frequent class of each cell, -1 where no pixel of it is labelled."""
    cell = mask.shape[-1] // across
    pixels = mask.unflatten(2, (-1, cell)).unflatten(1, (-1, cell)).transpose(2, 3).flatten(3)
    counts = torch.stack([(pixels == k).sum(dim=-1) for k in range(classes)], dim=-1)
    most, found = counts.max(dim=-1)
    return found.masked_fill(most == 0, -1)
