"""Cutting a view out of a patch, with interpolation only where the grids differ."""

from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sscl_geo.geometry.affine import compose, translation
from sscl_geo.geometry.footprint import bounding_windows


def is_window(pixel_to_patch: NDArray[np.float64]) -> NDArray[np.bool_]:
    """True for matrices (..., 2, 3) that only shift by whole pixels: plain windows."""
    linear, shift = pixel_to_patch[..., :2], pixel_to_patch[..., 2]
    same = (linear == np.eye(2)).all(axis=(-2, -1))
    return same & (shift == np.round(shift)).all(axis=-1)


def resample(
    pixels: NDArray[np.generic],
    valid: NDArray[np.bool_],
    pixel_to_patch: NDArray[np.float64],
    shape: tuple[int, int],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Show a patch on the grid of a view.

    A view that is a plain window is copied. Otherwise bilinear between pixel centres; where the
    view's pixels are larger than the patch's, the mean of several samples a pixel, so that fine
    detail does not alias. Only valid pixels count, with their share of the weight; a pixel is valid
    if at least half of its weight is.

    Args:
        pixels: shape (C, height, width), any numeric type.
        valid: bool of shape (height, width).
        pixel_to_patch: float64 (2, 3), from view pixels to patch pixels, both (column, row) with
            (0, 0) at the outer corner.
        shape: (height, width) of the view.

    Returns:
        image float32 of shape (C, *shape), 0 where invalid, and valid mask; pixels beyond the
        patch are invalid.
    """
    image = np.empty((len(pixels), *shape), np.float32)
    there = np.empty(shape, bool)
    resample_into(image, there, pixels, valid, pixel_to_patch)
    return image, there


def resample_into(
    image: NDArray[np.float32],
    there: NDArray[np.bool_],
    pixels: NDArray[np.generic],
    valid: NDArray[np.bool_],
    pixel_to_patch: NDArray[np.float64],
) -> None:
    """:func:`resample` into arrays of the caller's: new memory costs as much as the copy.

    Args:
        image: float32 of shape (C, H, W), to be written.
        there: bool of shape (H, W), to be written.
        pixels: as in :func:`resample`.
        valid: as in :func:`resample`.
        pixel_to_patch: as in :func:`resample`.
    """
    shape = (there.shape[0], there.shape[1])
    (xx, xy, x), (yx, yy, y) = pixel_to_patch.tolist()
    if (xx, xy, yx, yy) == (1, 0, 0, 1) and x.is_integer() and y.is_integer():
        _cut_into(image, there, pixels, valid, int(y), int(x))
        return
    # Bilinear interpolation at a view's edge needs the next pixel beyond it.
    row, col, height, width = bounding_windows(pixel_to_patch, shape).tolist()
    row, col = row - 1, col - 1
    source = np.empty((len(pixels) + 1, height + 2, width + 2), np.float32)
    known = np.empty(source.shape[1:], bool)
    _cut_into(source[:-1], known, pixels, valid, row, col)
    source[-1] = known
    image[:], there[:] = _interpolate(
        source, compose(translation(-col, -row), pixel_to_patch), shape
    )


def _cut_into(
    image: NDArray[np.float32],
    there: NDArray[np.bool_],
    pixels: NDArray[np.generic],
    valid: NDArray[np.bool_],
    row: int,
    col: int,
) -> None:
    """Copy a window, which may reach beyond the patch, as float32 with 0 where invalid."""
    height, width = there.shape
    top, left = max(row, 0), max(col, 0)
    bottom, right = min(row + height, valid.shape[0]), min(col + width, valid.shape[1])
    if (bottom - top, right - left) != (height, width):
        there[:] = False
    inside = np.s_[top - row : max(bottom - row, 0), left - col : max(right - col, 0)]
    there[inside] = valid[top:bottom, left:right]
    np.copyto(image[:, *inside], pixels[:, top:bottom, left:right], casting="unsafe")
    if not there.all():
        image[:, ~there] = 0


def _interpolate(
    source: NDArray[np.float32], pixel_to_source: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Interpolate the bands of a source, whose last band is 1 where the others are valid."""
    height, width = shape
    stretch = np.linalg.norm(pixel_to_source[:, :2], axis=0)
    samples_x, samples_y = (max(1, ceil(s - 1e-9)) for s in stretch)
    x = (np.arange(width * samples_x) + 0.5) / samples_x
    y = (np.arange(height * samples_y) + 0.5) / samples_y
    grid = np.stack(np.meshgrid(x, y), axis=-1) @ pixel_to_source[:, :2].T + pixel_to_source[:, 2]
    grid = grid / [source.shape[2], source.shape[1]] * 2 - 1
    sampled = F.grid_sample(
        torch.from_numpy(source)[None],
        torch.from_numpy(grid)[None].float(),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )
    sampled = F.avg_pool2d(sampled, (samples_y, samples_x))[0].numpy()
    weight = sampled[-1]
    inside = weight >= 0.5
    return np.where(inside, sampled[:-1] / np.where(inside, weight, 1), 0), inside
