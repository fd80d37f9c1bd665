"""How far the cells of two views lie apart."""

import torch
from torch import Tensor

from sscl_geo.geometry.correspondences import Correspondences


def cell_distances(match: Correspondences) -> Tensor:
    """Distance between every cell of a view and every cell of the other view of its pair.

    Args:
        match: of B pairs with (h, w) cells a view.

    Returns:
        float32 of shape (2 B, h * w, h * w): row 2 i + v, own cell, cell of the other view; in
        cells of the other view.
    """
    rows, cols = match.grid.shape[2:4]
    device = match.grid.device
    places = match.grid.flatten(0, 1).flatten(1, 2)
    x = (places[..., 0] + 1) * (cols / 2)
    y = (places[..., 1] + 1) * (rows / 2)
    center_y, center_x = torch.meshgrid(
        torch.arange(rows, device=device) + 0.5,
        torch.arange(cols, device=device) + 0.5,
        indexing="ij",
    )
    return torch.hypot(x[:, :, None] - center_x.flatten(), y[:, :, None] - center_y.flatten())
