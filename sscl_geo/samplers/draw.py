"""Drawing the views of many pairs at once: pure functions of a random generator."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sscl_geo.geometry.footprint import OverlapOf, footprint, overlap_share


@dataclass(frozen=True)
class ViewRanges:
    """What the views of a pair may look like.

    Attributes:
        size: (height, width) of a view in its own pixels.
        overlap: least and greatest share of ground that each further view has in common with the
            first.
        overlap_of: what the share is taken of: the ``"smaller"`` view's area, or the ``"union"``.
        zoom: least and greatest ground sampling distance, in pixels of the scene; 1 keeps it.
        rotation: greatest angle between a view and its scene, in degrees on the ground.
        views: number of views of a place; 2 make a pair.
    """

    size: tuple[int, int]
    overlap: tuple[float, float] = (0.3, 1.0)
    overlap_of: OverlapOf = "smaller"
    zoom: tuple[float, float] = (1.0, 1.0)
    rotation: float = 0.0
    views: int = 2


def draw_pairs(
    rng: np.random.Generator,
    count: int,
    ranges: ViewRanges,
    scene_shape: tuple[int, int],
    ground: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Draw candidates for pairs in one scene and keep those in range.

    The first view lies anywhere in the scene with equal probability, the others anywhere around
    it; pairs whose overlap is out of range or that reach beyond the scene are dropped.

    Args:
        rng: source of randomness.
        count: number of candidates, not of results.
        ranges: what is asked of the views.
        scene_shape: (height, width) of the scene in pixels.
        ground: (2, 2) linear part of the scene's transform, in units in which a step east is as
            long as a step north; rotation is meant in these.

    Returns:
        float64 of shape (kept, views, 2, 3): from view pixels to scene pixels.
    """
    linear = _draw_linear(rng, count, ranges, ground)
    height, width = ranges.size
    # Half extent, along scene columns and rows, of each view's bounding box.
    extent = np.abs(linear) @ np.array([width / 2, height / 2])
    limit = np.array([scene_shape[1], scene_shape[0]], dtype=np.float64)
    first = _uniform(rng, extent[:, :1], limit - extent[:, :1])
    reach = extent[:, :1] + extent[:, 1:]
    if ranges.rotation == 0:
        # Less than this much shared along one axis cannot give the least overlap.
        reach -= ranges.overlap[0] * 2 * np.minimum(extent[:, :1], extent[:, 1:])
    low = np.maximum(first - reach, extent[:, 1:])
    high = np.minimum(first + reach, limit - extent[:, 1:])
    others = _uniform(rng, low, high)
    centers = np.concatenate([first, others], axis=1)
    corner = centers - linear @ np.array([width / 2, height / 2])
    if ranges.rotation == 0:
        corner = np.round(corner)
    matrices = np.concatenate([linear, corner[..., None]], axis=-1)
    fits = (extent * 2 <= limit).all(axis=(1, 2)) & (low <= high).all(axis=(1, 2))
    matrices = matrices[fits]
    return matrices[overlaps_in_range(matrices, ranges)]


def overlaps_in_range(matrices: NDArray[np.float64], ranges: ViewRanges) -> NDArray[np.bool_]:
    """True for pairs in which every further view overlaps the first within range.

    Args:
        matrices: float64 of shape (N, views, 2, 3), from view pixels to any coordinates that all
            views of a pair share; scene pixels do as well as map coordinates, since a share of
            area is the same in both.
        ranges: what is asked of the overlap.
    """
    share = _shares(matrices, ranges)
    least, greatest = ranges.overlap
    return ((share >= least - 1e-9) & (share <= greatest + 1e-9)).all(axis=1)


def _draw_linear(
    rng: np.random.Generator, count: int, ranges: ViewRanges, ground: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear parts (count, views, 2, 2) of the matrices from view pixels to scene pixels."""
    if ranges.rotation == 0 and ranges.zoom == (1.0, 1.0):
        return np.broadcast_to(np.eye(2), (count, ranges.views, 2, 2))
    least, greatest = np.log(ranges.zoom)
    zoom = np.exp(rng.uniform(least, greatest, size=(count, ranges.views, 1)))
    size_xy = np.array([ranges.size[1], ranges.size[0]], dtype=np.float64)
    if ranges.rotation == 0:
        # A whole number of scene pixels, so that windows need no interpolation at their edges.
        scale = np.maximum(np.round(size_xy * zoom), 1) / size_xy
        return scale[..., None] * np.eye(2)
    angle = np.radians(rng.uniform(-ranges.rotation, ranges.rotation, size=(count, ranges.views)))
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    return zoom[..., None] * (np.linalg.inv(ground) @ turn @ ground)


def _uniform(
    rng: np.random.Generator, low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    return low + rng.random(low.shape) * (high - low)


def _shares(matrices: NDArray[np.float64], ranges: ViewRanges) -> NDArray[np.float64]:
    """Overlap (N, views - 1) of each further view with the first."""
    if matrices[..., [0, 1], [1, 0]].any():
        polygons = footprint(matrices, ranges.size)
        return overlap_share(polygons[:, :1], polygons[:, 1:], ranges.overlap_of)
    corner = matrices[..., 2]
    # Negative where scenes of two dates run the other way, as south-up ones do.
    across = matrices[..., [0, 1], [0, 1]] * np.array([ranges.size[1], ranges.size[0]])
    low, high = np.minimum(corner, corner + across), np.maximum(corner, corner + across)
    size_xy = high - low
    shared_xy = np.minimum(high[:, :1], high[:, 1:]) - np.maximum(low[:, :1], low[:, 1:])
    shared = np.clip(shared_xy, 0, None).prod(axis=-1)
    area = size_xy.prod(axis=-1)
    if ranges.overlap_of == "union":
        return shared / (area[:, :1] + area[:, 1:] - shared)
    return shared / np.minimum(area[:, :1], area[:, 1:])
