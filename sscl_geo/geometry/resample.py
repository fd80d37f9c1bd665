"""Resampling a patch onto the grid of a view, with invalid pixels kept out."""

from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray


def is_window(pixel_to_patch: NDArray[np.float64]) -> bool:
    """True if a matrix only shifts by whole pixels, so that a view is a plain window."""
    shift = pixel_to_patch[:, 2]
    return bool((pixel_to_patch[:, :2] == np.eye(2)).all() and (shift == np.round(shift)).all())


def resample(
    image: NDArray[np.float32],
    valid: NDArray[np.bool_],
    pixel_to_patch: NDArray[np.float64],
    shape: tuple[int, int],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Interpolate a patch on another grid.

    Bilinear between pixel centres; where the view's pixels are larger than the patch's, the mean
    of several samples a pixel, so that fine detail does not alias. Only valid pixels count, with
    their share of the weight; a pixel is valid if at least half of its weight is.

    Args:
        image: float32 of shape (C, height, width), 0 where invalid.
        valid: bool of shape (height, width).
        pixel_to_patch: float64 (2, 3), from view pixels to patch pixels, both (column, row) with
            (0, 0) at the outer corner.
        shape: (height, width) of the view.

    Returns:
        image and valid mask of the view; pixels beyond the patch are invalid.
    """
    height, width = shape
    if is_window(pixel_to_patch):
        col, row = pixel_to_patch[:, 2].astype(int)
        window = np.s_[row : row + height, col : col + width]
        if row >= 0 and col >= 0 and valid[window].shape == shape:
            return image[:, *window].copy(), valid[window].copy()
    stretch = np.linalg.norm(pixel_to_patch[:, :2], axis=0)
    samples_x, samples_y = (max(1, ceil(s - 1e-9)) for s in stretch)
    x = (np.arange(width * samples_x) + 0.5) / samples_x
    y = (np.arange(height * samples_y) + 0.5) / samples_y
    grid = np.stack(np.meshgrid(x, y), axis=-1) @ pixel_to_patch[:, :2].T + pixel_to_patch[:, 2]
    grid = grid / [valid.shape[1], valid.shape[0]] * 2 - 1
    source = np.concatenate([image, valid[None].astype(np.float32)])
    # float64: float32 coordinates would shift samples of a wide patch by 1e-4 pixels.
    sampled = F.grid_sample(
        torch.from_numpy(source)[None].double(),
        torch.from_numpy(grid)[None],
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )
    sampled = F.avg_pool2d(sampled, (samples_y, samples_x))[0].numpy()
    weight = sampled[-1]
    inside = weight >= 0.5
    values = np.where(inside, sampled[:-1] / np.where(inside, weight, 1), 0)
    return values.astype(np.float32), inside
