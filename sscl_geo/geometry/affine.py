"""2x3 affine matrices over numpy arrays and torch tensors.

Convention, everywhere in this package: pixel coordinates are (column, row), and (0, 0) is the outer
corner of the first pixel, so that the centre of pixel (row i, column j) is (j + 0.5, i + 0.5). This
is the convention of rasterio and of GDAL's geotransform. A matrix ``[[a, b, c], [d, e, f]]`` holds
the same six numbers as ``affine.Affine(a, b, c, d, e, f)``. Matrices may be stacked in leading
dimensions. Everything that touches map coordinates is float64: float32 holds a UTM northing only
to half a metre.
"""

from typing import Any

import numpy as np
import torch
from affine import Affine
from numpy.typing import NDArray


def matrix_from_affine(affine: Affine) -> NDArray[np.float64]:
    """Return an ``affine.Affine`` (a rasterio transform) as a float64 matrix of shape (2, 3)."""
    return np.array(affine[:6], dtype=np.float64).reshape(2, 3)


def affine_from_matrix(matrix: NDArray[np.float64]) -> Affine:
    """Return a matrix of shape (2, 3) as an ``affine.Affine`` (a rasterio transform)."""
    return Affine(*np.asarray(matrix, dtype=np.float64).ravel().tolist())


def compose[Matrix: (NDArray[np.float64], torch.Tensor)](outer: Matrix, inner: Matrix) -> Matrix:
    """Return the matrix that applies ``inner`` first, then ``outer``: ``outer @ inner``.

    Args:
        outer: matrices of shape (..., 2, 3).
        inner: matrices of shape (..., 2, 3); leading dimensions broadcast.
    """
    linear = outer[..., :, :2] @ inner[..., :, :2]
    translation = outer[..., :, :2] @ inner[..., :, 2:] + outer[..., :, 2:]
    return _join(linear, translation)


def invert[Matrix: (NDArray[np.float64], torch.Tensor)](matrix: Matrix) -> Matrix:
    """Return the inverse of matrices of shape (..., 2, 3).

    A singular matrix gives infinities or NaN; scenes with such a transform are refused when opened.
    """
    a, b, c = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 0, 2]
    d, e, f = matrix[..., 1, 0], matrix[..., 1, 1], matrix[..., 1, 2]
    determinant = a * e - b * d
    top = _stack([e, -b, b * f - e * c], axis=-1) / determinant[..., None]
    bottom = _stack([-d, a, d * c - a * f], axis=-1) / determinant[..., None]
    return _stack([top, bottom], axis=-2)


def transform_points[Matrix: (NDArray[np.float64], torch.Tensor)](
    matrix: Matrix, points_xy: Matrix
) -> Matrix:
    """Apply matrices (..., 2, 3) to points (..., N, 2) given as (x, y) or (column, row)."""
    linear: Any = matrix[..., :, :2].mT
    return points_xy @ linear + matrix[..., :, 2:].mT


def translation(x: float, y: float) -> NDArray[np.float64]:
    """Matrix (2, 3) that moves points by (x, y), for example by (column, row) offsets."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y]])


def scaling(x: float, y: float) -> NDArray[np.float64]:
    """Matrix (2, 3) that multiplies coordinates by (x, y)."""
    return np.array([[x, 0.0, 0.0], [0.0, y, 0.0]])


def view_to_view[Matrix: (NDArray[np.float64], torch.Tensor)](
    pixel_to_map_a: Matrix, pixel_to_map_b: Matrix
) -> Matrix:
    """Matrix that carries a pixel of view a to the pixel of view b at the same ground point.

    Computed as ``inv(b) @ a`` about a local origin (a's corner), so that coordinates of millions
    of metres cost no precision: the error stays below 1e-9 pixels on UTM grids. The result holds
    pixel numbers only and may be cast to float32.

    Args:
        pixel_to_map_a: float64 matrices of shape (..., 2, 3).
        pixel_to_map_b: float64 matrices of shape (..., 2, 3), same coordinate reference system.
    """
    origin = pixel_to_map_a[..., :, 2:]
    local_a = _join(pixel_to_map_a[..., :, :2], pixel_to_map_a[..., :, 2:] - origin)
    local_b = _join(pixel_to_map_b[..., :, :2], pixel_to_map_b[..., :, 2:] - origin)
    return compose(invert(local_b), local_a)


def _join(linear: Any, translation: Any) -> Any:
    if isinstance(linear, torch.Tensor):
        return torch.cat([linear, translation], dim=-1)
    return np.concatenate([linear, translation], axis=-1)


def _stack(arrays: list[Any], axis: int) -> Any:
    if isinstance(arrays[0], torch.Tensor):
        return torch.stack(arrays, dim=axis)
    return np.stack(arrays, axis=axis)
