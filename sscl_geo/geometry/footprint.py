"""Ground footprints of patches and views, and how much of the ground two of them share."""

from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from sscl_geo.geometry.affine import transform_points

OverlapOf = Literal["smaller", "union"]


def corners(pixel_to_map: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Outer corners of a grid in map coordinates.

    Args:
        pixel_to_map: float64 matrices of shape (..., 2, 3).
        shape: (height, width) in pixels.

    Returns:
        array of shape (..., 4, 2): (x, y) of the corners, in the order top left, top right, bottom
        right, bottom left of the pixel grid.
    """
    height, width = shape
    pixel = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    return transform_points(pixel_to_map, pixel)


def footprint(pixel_to_map: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.object_]:
    """Ground footprints of grids as shapely polygons in map coordinates.

    Args:
        pixel_to_map: float64 matrices of shape (..., 2, 3).
        shape: (height, width) in pixels.

    Returns:
        polygons, an object array of shape (...,); a single polygon for one matrix.
    """
    return shapely.polygons(corners(pixel_to_map, shape))


def overlap(a: NDArray[np.object_], b: NDArray[np.object_]) -> NDArray[np.object_]:
    """Polygons that two arrays of footprints share, in map coordinates; empty where they do not."""
    return shapely.intersection(a, b)


def overlap_share(
    a: NDArray[np.object_], b: NDArray[np.object_], of: OverlapOf = "smaller"
) -> NDArray[np.float64]:
    """Share of ground that footprints have in common, from 0 to 1.

    Args:
        a: footprints, shapely polygons.
        b: footprints, shapely polygons in the same coordinate reference system.
        of: ``"smaller"`` divides the shared area by the area of the smaller footprint,
            ``"union"`` by the area that either covers (intersection over union).
    """
    shared = shapely.area(shapely.intersection(a, b))
    area_a, area_b = shapely.area(a), shapely.area(b)
    whole = np.minimum(area_a, area_b) if of == "smaller" else area_a + area_b - shared
    return shared / whole


def bounding_windows(
    pixel_to_scene: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.int64]:
    """Smallest windows of whole scene pixels that contain views.

    Args:
        pixel_to_scene: float64 of shape (..., 2, 3).
        size: (height, width) of a view.

    Returns:
        int64 of shape (..., 4): row, col, height, width.
    """
    return windows_around(corners(pixel_to_scene, size))


def windows_around(xy: NDArray[np.float64]) -> NDArray[np.int64]:
    """Smallest windows of whole pixels that contain points.

    Args:
        xy: (column, row) of points, shape (..., points, 2).

    Returns:
        int64 of shape (..., 4): row, col, height, width.
    """
    # 1e-9: a corner that rounding put just beyond a pixel's edge does not need that pixel.
    low = np.floor(xy.min(axis=-2) + 1e-9).astype(np.int64)
    high = np.ceil(xy.max(axis=-2) - 1e-9).astype(np.int64)
    return np.concatenate([low[..., ::-1], (high - low)[..., ::-1]], axis=-1)
