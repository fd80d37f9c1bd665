"""Turning points, lines and polygons into pixels of any grid."""

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.classes import nodata_of
from sscl_geo.geometry.affine import invert, matrix_from_affine, transform_points
from sscl_geo.geometry.grid import grid_shape


def rasterize(
    geometries: NDArray[np.object_], values: NDArray[np.unsignedinteger], geobox: GeoBox
) -> NDArray[np.unsignedinteger]:
    """Draw geometries onto a grid, one after the other: where two overlap, the later one stays.

    A polygon takes the pixels whose centre it holds, a point the pixel that holds it, a line the
    pixels along it (GDAL's rule without ``all_touched``). Geometries are carried into pixel
    coordinates first, so that rotated and south-up grids need no special care.

    Args:
        geometries: shapely geometries in the coordinate reference system of the grid.
        values: value of each geometry, uint8 or uint16, below the highest of its type.
        geobox: the grid.

    Returns:
        array of shape (height, width) and the type of ``values``; the highest value of that type
        where nothing was drawn.
    """
    shape = grid_shape(geobox)
    if len(geometries) == 0:
        return np.full(shape, nodata_of(values.dtype), values.dtype)
    to_pixel = invert(matrix_from_affine(geobox.affine))
    pixel = shapely.transform(geometries, lambda xy: transform_points(to_pixel, xy))
    return rasterio.features.rasterize(
        zip(pixel, values.tolist(), strict=True),
        out_shape=shape,
        fill=nodata_of(values.dtype),
        dtype=values.dtype.name,
    )
