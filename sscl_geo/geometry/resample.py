"""Cutting a view out of a patch, with interpolation only where the grids differ."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sscl_geo.geometry.affine import compose, translation
from sscl_geo.geometry.footprint import bounding_windows
from sscl_geo.geometry.interpolate import interpolate


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
    resample_into([(image, there)], pixels, valid, pixel_to_patch[None])
    return image, there


def resample_into(
    views: Sequence[tuple[NDArray[Any], NDArray[np.bool_]]],
    pixels: NDArray[np.generic],
    valid: NDArray[np.bool_],
    pixel_to_patch: NDArray[np.float64],
    *,
    complete: bool = False,
) -> None:
    """:func:`resample` many views of one patch, into arrays of the caller's.

    New memory would cost as much as the copy.

    Args:
        views: image (C, H, W) and mask (H, W) of each view, all of one shape, to be written.
        pixels: as in :func:`resample`.
        valid: as in :func:`resample`.
        pixel_to_patch: float64 (views, 2, 3), from the pixels of each view to patch pixels.
        complete: True if every pixel of the patch is known to be valid.
    """
    windows = is_window(pixel_to_patch).tolist()
    shifts = pixel_to_patch[:, :, 2].tolist()
    # Neighbours one after the other: the pixels that they share are still in the processor's cache.
    step = max(1, views[0][1].shape[0] // 2)
    nearby = sorted(range(len(views)), key=lambda i: (shifts[i][1] // step, shifts[i][0]))
    for number in nearby:
        image, there = views[number]
        if windows[number]:
            x, y = shifts[number]
            _cut_into(image, there, pixels, valid, int(y), int(x), complete)
        else:
            _interpolate_into(image, there, pixels, valid, pixel_to_patch[number], complete)


def _interpolate_into(
    image: NDArray[np.float32],
    there: NDArray[np.bool_],
    pixels: NDArray[np.generic],
    valid: NDArray[np.bool_],
    pixel_to_patch: NDArray[np.float64],
    complete: bool,
) -> None:
    shape = (there.shape[0], there.shape[1])
    # Bilinear interpolation at a view's edge needs the next pixel beyond it.
    row, col, height, width = bounding_windows(pixel_to_patch, shape).tolist()
    row, col = row - 1, col - 1
    source = np.empty((len(pixels), height + 2, width + 2), np.float32)
    known = np.empty(source.shape[1:], bool)
    _cut_into(source, known, pixels, valid, row, col, complete)
    to_source = compose(translation(-col, -row), pixel_to_patch)
    stretch = float(np.linalg.norm(pixel_to_patch[:, :2], axis=0).max())
    shown = interpolate(
        torch.from_numpy(source)[None],
        torch.from_numpy(known)[None],
        torch.from_numpy(to_source)[None],
        shape,
        samples=max(1, ceil(stretch - 1e-9)),
    )
    image[:], there[:] = shown[0][0].numpy(), shown[1][0].numpy()


def _cut_into(
    image: NDArray[Any],
    there: NDArray[np.bool_],
    pixels: NDArray[np.generic],
    valid: NDArray[np.bool_],
    row: int,
    col: int,
    complete: bool,
) -> None:
    """Copy a window, which may reach beyond the patch, with 0 where invalid."""
    height, width = there.shape
    top, left = max(row, 0), max(col, 0)
    bottom, right = min(row + height, valid.shape[0]), min(col + width, valid.shape[1])
    if (bottom - top, right - left) == (height, width):
        np.copyto(image, pixels[:, top:bottom, left:right], casting="unsafe")
        if complete:
            there[:] = True
            return
        there[:] = valid[top:bottom, left:right]
    else:
        inside = np.s_[top - row : max(bottom - row, 0), left - col : max(right - col, 0)]
        np.copyto(image[:, *inside], pixels[:, top:bottom, left:right], casting="unsafe")
        there[:] = False
        there[inside] = valid[top:bottom, left:right]
    if not there.all():
        image[:, ~there] = 0
