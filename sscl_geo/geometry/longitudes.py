"""Longitudes that go on beyond 180 degrees, as on grids from 0 to 360 or across the antimeridian.

Vector files keep to -180 to 180 degrees and are cut at the antimeridian (RFC 7946, 3.1.9); pixel
grids go on.
"""

import math

import antimeridian
import numpy as np
import shapely
import shapely.geometry
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

_CAN_BE_CUT = [
    shapely.GeometryType.LINESTRING,
    shapely.GeometryType.POLYGON,
    shapely.GeometryType.MULTILINESTRING,
    shapely.GeometryType.MULTIPOLYGON,
]


def whole_turns(own: tuple[float, float], wanted: tuple[float, float]) -> list[float]:
    """Shifts by whole turns that bring a range of longitudes onto another.

    Args:
        own: least and highest longitude, in degrees.
        wanted: least and highest longitude of the range to be reached, in degrees.

    Returns:
        multiples of 360 degrees after which the ranges meet; empty if there is none.

    Example:
        >>> whole_turns((-125.0, 30.0), (0.0, 360.0))
        [0.0, 360.0]
    """
    first = math.ceil((wanted[0] - own[1]) / 360)
    last = math.floor((wanted[1] - own[0]) / 360)
    return [360.0 * turn for turn in range(first, last + 1)]


def moved_east[T: (BaseGeometry, NDArray[np.object_])](geometries: T, degrees: float) -> T:
    """Geometries moved to other longitudes."""
    return shapely.transform(geometries, lambda lon_lat: lon_lat + np.array([degrees, 0.0]))


def cut_at_antimeridian(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Lines and polygons that cross the antimeridian, cut there rather than led around the globe.

    Args:
        geometries: in longitude and latitude, from -180 to 180 degrees. An edge of more than 180
            degrees is taken to go the other way around.
    """
    west, _, east, _ = shapely.bounds(geometries).T
    wide = (east - west > 180) & np.isin(shapely.get_type_id(geometries), _CAN_BE_CUT)
    result = geometries.copy()
    for at in np.flatnonzero(wide):
        fixed = antimeridian.fix_shape(geometries[at], fix_winding=True, great_circle=False)
        result[at] = shapely.geometry.shape(fixed)
    return result
