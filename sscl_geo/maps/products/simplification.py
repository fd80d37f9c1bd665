"""Simplifying outlines of regions so that neighbours keep their shared borders."""

from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray

from sscl_geo.maps.products.regions import Polygons, Regions


def simplify_regions(
    pieces: Regions,
    tolerance: float,
    rows: tuple[int, int],
    above: NDArray[np.unsignedinteger],
    below: NDArray[np.unsignedinteger],
) -> Regions:
    """Simplify pieces of regions together (Visvalingam-Whyatt, as GEOS does for coverages).

    GEOS finds shared borders by equal vertices. A border that is straight for one region may have a
    corner of two others in its middle, so every pixel corner is made a vertex first. The rows above
    and below stand beside the pieces while they are simplified: so no point at which borders meet a
    cut is moved, and pieces on both sides of it fit together.

    Args:
        pieces: all regions of a strip of rows, also those of no data: what is left of these on both
            sides of a cut must not come to nothing.
        tolerance: in pixels.
        rows: first row of the strip and row after its last.
        above: class values of the row above; empty where there is none.
        below: class values of the row below; empty where there is none.
    """
    beside = [_runs(above, rows[0] - 1), _runs(below, rows[1])]
    dense = shapely.segmentize(np.concatenate([pieces.polygons, *beside]), 1.0)
    drawn = shapely.coverage_simplify(shapely.transform(dense, np.rint), tolerance)
    return replace(pieces, polygons=shapely.orient_polygons(drawn[: len(pieces)]))


def _runs(values: NDArray[np.unsignedinteger], row: int) -> Polygons:
    """Rectangles of a row's pixels of one value each."""
    begins = np.flatnonzero(np.diff(values.astype(np.int32), prepend=-1))
    return shapely.box(begins, row, np.append(begins, len(values))[1:], row + 1)
