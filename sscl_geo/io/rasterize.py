"""Turning points, lines and polygons into pixels of any grid."""

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.geometry.affine import invert, matrix_from_affine, transform_points
from sscl_geo.geometry.grid import grid_shape


def rasterize(
    geometries: NDArray[np.object_], values: NDArray[np.uint8], geobox: GeoBox
) -> NDArray[np.uint8]:
    """Draw geometries onto a grid, one after the other: where two overlap, the later one stays.

    A polygon takes the pixels whose centre it holds, a point the pixel that holds it, a line the
    pixels along it (GDAL's rule without ``all_touched``). Geometries are carried into pixel
    coordinates first, so that rotated and south-up grids need no special care.

    Args:
        geometries: shapely geometries in the coordinate reference system of the grid.
        values: value of each geometry, 0 to 254.
        geobox: the grid.

    Returns:
        uint8 of shape (height, width); 255 where nothing was drawn.
    """
    shape = grid_shape(geobox)
    if len(geometries) == 0:
        return np.full(shape, IGNORE_INDEX, np.uint8)
    to_pixel = invert(matrix_from_affine(geobox.affine))
    pixel = shapely.transform(geometries, lambda xy: transform_points(to_pixel, xy))
    return rasterio.features.rasterize(
        zip(pixel, values.tolist(), strict=True),
        out_shape=shape,
        fill=IGNORE_INDEX,
        dtype="uint8",
    )
