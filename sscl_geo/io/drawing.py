"""Geometries to be drawn onto grids, found by where they lie."""

from typing import Final, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from sscl_geo.geometry.grid import grid_wkt
from sscl_geo.geometry.longitudes import cut_at_antimeridian, moved_east, whole_turns

_MANY_VERTICES: Final = 1000
"""Geometries of more are cut to a grid before they are drawn: drawing takes 5 us for each vertex,
wherever it lies."""


class _Local(NamedTuple):
    """Geometries in one coordinate reference system, with the index that finds them."""

    geometries: NDArray[np.object_]
    tree: shapely.STRtree
    longitudes: tuple[float, float] | None
    """Least and highest, in degrees; None on a projection, whose coordinates do not repeat."""


class Drawing:
    """Geometries in an order, reprojected once for each coordinate reference system asked for.

    Args:
        geometries: points, lines, polygons, or several of them together.
    """

    def __init__(self, geometries: gpd.GeoSeries) -> None:
        # All ground of a class may be one geometry, of which a grid needs a few parts.
        parts, self._owners = _parts(geometries.to_numpy())
        self._parts = gpd.GeoSeries(parts, crs=geometries.crs)
        self._local: dict[str, _Local] = {}

    def near(self, geobox: GeoBox) -> tuple[NDArray[np.intp], NDArray[np.object_]]:
        """Parts of geometries whose boxes reach into a grid, and the numbers of the geometries.

        They are in order, in the coordinate reference system of the grid, whichever turn around the
        globe its longitudes belong to; those outside its domain are left out.
        """
        wkt = grid_wkt(geobox)
        if wkt not in self._local:
            self._local[wkt] = self._carried(wkt)
        local = self._local[wkt]
        ground = geobox.extent.geom
        west, _, east, _ = ground.bounds
        turns = [0.0] if local.longitudes is None else whole_turns(local.longitudes, (west, east))
        numbers, found = [np.empty(0, np.intp)], [np.empty(0, object)]
        for turn in turns:
            hits = local.tree.query(moved_east(ground, -turn) if turn else ground)
            there = local.geometries[hits]
            numbers.append(hits)
            found.append(moved_east(there, turn) if turn else there)
        every = np.concatenate(numbers)
        order = np.argsort(every, kind="stable")
        return self._owners[every[order]], _cut_to(ground, np.concatenate(found)[order])

    def _carried(self, wkt: str) -> _Local:
        geometries = self._parts.to_crs(wkt).to_numpy()
        # A feature outside the domain of a projection gets infinite coordinates.
        broken = ~np.isfinite(shapely.bounds(geometries)).all(axis=1)
        geometries = np.where(broken, shapely.Point(), geometries)
        longitudes = None
        if CRS(wkt).is_geographic:
            if not self._parts.crs.is_geographic:
                geometries = cut_at_antimeridian(geometries)
            west, _, east, _ = shapely.total_bounds(geometries)
            longitudes = (west, east) if np.isfinite(west) else None  # none is left
        large = shapely.get_num_coordinates(geometries) > _MANY_VERTICES
        geometries[large] = shapely.make_valid(geometries[large])  # or they could not be cut
        return _Local(geometries, shapely.STRtree(geometries), longitudes)


def _parts(geometries: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """Points, lines and polygons of which geometries consist, and whose they are."""
    parts, owners = shapely.get_parts(geometries, return_index=True)
    while (shapely.get_type_id(parts) > shapely.GeometryType.POLYGON).any():  # within collections
        parts, inner = shapely.get_parts(parts, return_index=True)
        owners = owners[inner]
    return parts, owners


def _cut_to(ground: BaseGeometry, geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Large geometries cut to the surroundings of some ground, others as they are."""
    large = shapely.get_num_coordinates(geometries) > _MANY_VERTICES
    left, bottom, right, top = ground.bounds
    beyond = max(right - left, top - bottom)
    box = left - beyond, bottom - beyond, right + beyond, top + beyond
    result = geometries.copy()
    result[large] = shapely.clip_by_rect(geometries[large], *box)
    return result
