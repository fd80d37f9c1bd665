"""Labelled cells for the nearest neighbours to be looked for among."""

from collections.abc import Iterable

import torch
from torch import Tensor

from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.errors import TrainingError
from sscl_geo.models.probe_networks import NearestNeighbours


@torch.no_grad()
def remember_cells(
    network: NearestNeighbours, batches: Iterable[dict[str, Tensor]], most: int = 250
) -> None:
    """Let a network remember labelled cells, as many of each class as there are up to a number.

    A cell has the label of the pixel at its centre.

    Args:
        network: to be filled.
        batches: ``image`` (B, C, H, W) normalised, ``mask`` (B, H, W) class indices.
        most: greatest number of cells of a class; the first ones are taken. The similarities of a
            batch's cells to all of them are held in memory at once.

    Raises:
        TrainingError: if no cell has a label at its centre.
    """
    network.eval()
    device = next(network.encoder.parameters()).device
    features: dict[int, list[Tensor]] = {k: [] for k in range(network.classes)}
    counts = dict.fromkeys(features, 0)
    for batch in batches:
        cells = network.features(batch["image"].to(device))
        cell = batch["mask"].shape[-1] // cells.shape[-1]
        labels = batch["mask"].to(device)[:, cell // 2 :: cell, cell // 2 :: cell]
        for k in labels[labels != IGNORE_INDEX].unique().tolist():
            rows = cells.movedim(1, -1)[labels == k][: most - counts[k]]
            features[k].append(rows)
            counts[k] += len(rows)
        if min(counts.values()) >= most:
            break
    known = [rows for k in features for rows in features[k]]
    if not known:
        raise TrainingError(
            "No labelled pixel lies at the centre of a feature cell, so there is nothing to "
            "remember; give labels that cover more than single pixels, or another decoder."
        )
    classes = torch.cat([torch.full((counts[k],), k, device=device) for k in features])
    network.remember(torch.cat(known), classes)
