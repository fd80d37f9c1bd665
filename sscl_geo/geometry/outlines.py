"""Outlines of regions of pixels: rings of whole coordinates (column, row).

A ring is an array of shape (N, 2) without its first point repeated at the end. Its inside lies
where shapely's counter-clockwise rings have it: rings around a region have a positive area, rings
around its holes a negative one.
"""

import numpy as np
import shapely
from numpy.typing import NDArray

Ring = NDArray[np.int32]


def sums_inside(
    polygons: NDArray[np.object_], pixels: NDArray[np.generic], top: int = 0
) -> NDArray[np.int64]:
    """Sum of pixels inside each polygon, from its corners alone.

    Green's theorem for pixels: what lies left of a vertical edge is a difference of the raster's
    sums over rows and columns, and enters with the direction of the edge.

    Args:
        polygons: regions of whole pixels, oriented.
        pixels: whole numbers of shape (rows, columns).
        top: row of the first of them.
    """
    sums = np.zeros((pixels.shape[0] + 1, pixels.shape[1] + 1), np.int64)
    np.cumsum(pixels, axis=0, out=sums[1:, 1:], dtype=np.int64)
    np.cumsum(sums, axis=1, out=sums)
    rings, owner = shapely.get_rings(polygons, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    cols, rows = np.rint(xy).astype(np.int64).T
    rows -= top
    upright = np.flatnonzero((cols[1:] == cols[:-1]) & (ring[1:] == ring[:-1]))
    left = sums[rows[upright + 1], cols[upright]] - sums[rows[upright], cols[upright]]
    inside = np.zeros(len(polygons), np.int64)
    np.add.at(inside, owner[ring[upright]], left)
    return inside


def signed_area(ring: Ring) -> float:
    """Area of a ring in pixels, negative where its inside is a hole."""
    x, y = ring.astype(np.int64).T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def without_straight(ring: Ring) -> Ring:
    """A ring along pixel edges without the vertices at which it goes straight on."""
    step = np.roll(ring, -1, axis=0) - ring
    upright = step[:, 0] == 0
    return ring[upright != np.roll(upright, 1)]


def split_where_touching(ring: Ring) -> list[Ring]:
    """Split a ring that comes back to a vertex, so that no ring touches itself.

    So it must be for a polygon to be valid: a hole that touches the outline in a corner is a ring
    of its own.
    """
    key = ring[:, 1].astype(np.int64) << 32 | ring[:, 0]
    _, number, count = np.unique(key, return_inverse=True, return_counts=True)
    at = np.flatnonzero(count[number] > 1)
    if not len(at):
        return [ring]
    parts = np.split(np.roll(ring, -at[0], axis=0), at[1:] - at[0])
    rings: list[Ring] = []
    way: list[tuple[int, Ring]] = []
    begun: dict[int, int] = {}  # where on the way a vertex stands that may come again
    for vertex, part in zip(number[at].tolist(), parts, strict=True):
        if vertex in begun:
            loop = way[begun[vertex] :]
            del way[begun[vertex] :]
            for passed, _ in loop:
                del begun[passed]
            rings.append(np.concatenate([p for _, p in loop]))
        begun[vertex] = len(way)
        way.append((vertex, part))
    return [*rings, np.concatenate([p for _, p in way])]


def polygon_from_rings(outline: Ring, holes: Ring, sizes: NDArray[np.intp]) -> shapely.Polygon:
    """A polygon of an outline and of holes.

    Args:
        outline: its outer ring.
        holes: its inner rings, one after the other.
        sizes: numbers of their vertices.
    """
    inner = shapely.linearrings(
        holes.astype(np.float64), indices=np.repeat(np.arange(len(sizes)), sizes)
    )
    return shapely.polygons(shapely.linearrings(outline.astype(np.float64)), inner)
