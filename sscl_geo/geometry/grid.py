"""Small questions to a pixel grid (``odc.geo.GeoBox``)."""

import numpy as np
from odc.geo.geobox import GeoBox

from sscl_geo.errors import CRSMismatchError
from sscl_geo.geometry.affine import compose, invert, matrix_from_affine


def grid_shape(geobox: GeoBox) -> tuple[int, int]:
    """(height, width) in pixels."""
    return int(geobox.shape[0]), int(geobox.shape[1])


def grid_wkt(geobox: GeoBox) -> str:
    """Coordinate reference system as well-known text.

    Raises:
        CRSMismatchError: if the grid has none.
    """
    if geobox.crs is None:
        raise CRSMismatchError(
            "A pixel grid has no coordinate reference system; build it with the scene's."
        )
    return geobox.crs.wkt


def window_offset(source: GeoBox, target: GeoBox) -> tuple[int, int] | None:
    """(row, col) at which a target grid is a window of a source grid; None if it is none.

    Grids agree if they do to a hundredth of a pixel, which is how well formats keep a transform.
    The window may reach beyond the source.
    """
    if source.crs != target.crs:
        return None
    across = compose(invert(matrix_from_affine(source.affine)), matrix_from_affine(target.affine))
    size = max(*source.shape, *target.shape)
    offset = np.round(across[:, 2])
    same_pixels = np.allclose(across[:, :2], np.eye(2), rtol=0, atol=0.01 / size)
    if not same_pixels or not np.allclose(across[:, 2], offset, rtol=0, atol=0.01):
        return None
    return int(offset[1]), int(offset[0])
