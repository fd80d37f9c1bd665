"""Some matched cells of each view, for losses that cannot afford all."""

import torch
from torch import Tensor


def draw_cells(weight: Tensor, count: int) -> Tensor:
    """Draw cells at random, those that count first.

    Args:
        weight: shape (N, h, w), 0 where a cell does not count.
        count: cells to draw from each view; all where there are fewer.

    Returns:
        indices into the h * w cells, shape (N, count).
    """
    flat = weight.flatten(1)
    # A draw in (0, 1) for cells without weight, in (1, 2) for the others: the largest come first.
    order = torch.rand_like(flat) + (flat > 0)
    return order.topk(min(count, flat.shape[1]), dim=1).indices


def take_cells(values: Tensor, cells: Tensor) -> Tensor:
    """Values (N, C, h, w) or weights (N, h, w) at the cells of :func:`draw_cells`."""
    if values.ndim == 3:
        return values.flatten(1).gather(1, cells)
    return values.flatten(2).gather(2, cells[:, None].expand(-1, values.shape[1], -1))
