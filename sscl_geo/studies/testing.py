"""Evaluation on whole tiles, each pixel once."""

from collections.abc import Sequence
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from sscl_geo.bundle import Bundle
from sscl_geo.classes import NODATA
from sscl_geo.errors import BundleError, LabelError
from sscl_geo.evaluation.boundary import BoundaryCounts
from sscl_geo.evaluation.figures import Evaluation, sum_up
from sscl_geo.evaluation.tally import Tally
from sscl_geo.models.predictor import Predictor, build_predictor
from sscl_geo.progress import track
from sscl_geo.studies.choice import Place
from sscl_geo.studies.field_dataset import FieldDataset, Tile
from sscl_geo.studies.patch_grid import PatchGrid
from sscl_geo.studies.patches import TilePatches

_STRIP = 1024


def evaluate_tiles(
    bundle: Bundle,
    dataset: FieldDataset,
    tiles: Sequence[Tile],
    grids: Sequence[PatchGrid],
    *,
    batch_size: int = 16,
    num_workers: int = 0,
    accelerator: str = "auto",
    boundary_tolerance: float = 2.0,
) -> Evaluation:
    """Predict tiles patch by patch, as the protocol does, and compare each with its labels.

    Patches lie side by side, so that every pixel of a tile counts once, and those beyond its border
    never. Figures are of all tiles together, not means of means.

    Args:
        bundle: the segmenter.
        dataset: what the tiles are of.
        tiles: the tiles.
        grids: grid of each.
        batch_size: patches at once.
        num_workers: reading processes.
        accelerator: device kind.
        boundary_tolerance: of boundary F1, in pixels.

    Raises:
        LabelError: if no tile has a labelled pixel.
        BundleError: if the bundle is no segmenter's.
    """
    classes = bundle.classes
    if classes is None:
        raise BundleError("The bundle holds an encoder; give a segmenter.")
    device = _device(accelerator)
    predictor = build_predictor(bundle).to(device)
    found = []
    for tile, grid in track(list(zip(tiles, grids, strict=True)), "test"):
        places = [Place(0, number) for number in range(1, len(grid) + 1)]
        patches = TilePatches(dataset, [tile], [grid], places, classes, keep=0)
        loader = DataLoader(patches, batch_size=batch_size, num_workers=num_workers)
        mapped, reference = _map(predictor, loader, grid, device)
        tally = _compare(reference, mapped, boundary_tolerance)
        count = len(classes)
        confusion = tally.pairs[:count, :count]
        if confusion.any():
            boundary = BoundaryCounts.of(boundary_tolerance, tally.boundary[:, :count])
            unmapped = tally.pairs[:count, NODATA]
            found.append(Evaluation(classes, confusion, unmapped, boundary, name=tile.name))
    if not found:
        raise LabelError(
            f"No tile of {dataset.title} that is tested has a labelled pixel; check the labels."
        )
    return sum_up(found)


@torch.inference_mode()
def _map(
    predictor: Predictor,
    loader: DataLoader[dict[str, torch.Tensor]],
    grid: PatchGrid,
    device: torch.device,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Class indices of a tile, predicted and labelled."""
    mapped, reference = (np.full(grid.shape, NODATA, np.uint8) for _ in range(2))
    number = 0
    for batch in loader:
        logits = predictor(batch["image"].to(device), batch["valid"].to(device))
        predicted = logits.argmax(dim=1).to(torch.uint8).cpu().numpy()
        for index, mask in zip(predicted, batch["mask"].numpy(), strict=True):
            number += 1
            row, col = grid.origin(number)
            inside = np.s_[row : row + grid.size, col : col + grid.size]
            height, width = mapped[inside].shape
            mapped[inside] = index[:height, :width]
            reference[inside] = mask[:height, :width]
    return mapped, reference


def _compare(reference: NDArray[np.uint8], mapped: NDArray[np.uint8], tolerance: float) -> Tally:
    """Count strip by strip; strips overlap by what the borders of their pixels depend on."""
    tally, margin = Tally(tolerance), ceil(tolerance) + 1
    for top in range(0, len(reference), _STRIP):
        first = max(top - margin, 0)
        rows = slice(first, top + _STRIP + margin)
        counted = slice(top - first, top - first + _STRIP)
        tally.add(reference[rows], mapped[rows], (counted, slice(None)))
    return tally


def _device(accelerator: str) -> torch.device:
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
