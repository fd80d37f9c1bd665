"""Geometries to be drawn onto grids, found by where they lie."""

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS

from sscl_geo.geometry.grid import grid_wkt
from sscl_geo.geometry.longitudes import cut_at_antimeridian, moved_east, whole_turns


class _Local(NamedTuple):
    """Geometries in one coordinate reference system, with the index that finds them."""

    geometries: NDArray[np.object_]
    tree: shapely.STRtree
    longitudes: tuple[float, float] | None
    """Least and highest, in degrees; None on a projection, whose coordinates do not repeat."""


class Drawing:
    """Geometries in an order, reprojected once for each coordinate reference system asked for.

    Args:
        geometries: points, lines or polygons.
    """

    def __init__(self, geometries: gpd.GeoSeries) -> None:
        self._geometries = geometries
        self._local: dict[str, _Local] = {}

    def near(self, geobox: GeoBox) -> tuple[NDArray[np.intp], NDArray[np.object_]]:
        """Geometries whose boxes reach into a grid: their numbers, in order, and they themselves.

        They are in the coordinate reference system of the grid, whichever turn around the globe
        its longitudes belong to; those outside its domain are left out.
        """
        wkt = grid_wkt(geobox)
        if wkt not in self._local:
            self._local[wkt] = self._carried(wkt)
        local = self._local[wkt]
        ground = geobox.extent.geom
        if local.longitudes is None:
            numbers = np.sort(local.tree.query(ground))
            return numbers, local.geometries[numbers]
        west, _, east, _ = ground.bounds
        numbers, found = [np.empty(0, np.intp)], [np.empty(0, object)]
        for turn in whole_turns(local.longitudes, (west, east)):
            hits = local.tree.query(moved_east(ground, -turn))
            numbers.append(hits)
            found.append(moved_east(local.geometries[hits], turn))
        every = np.concatenate(numbers)
        order = np.argsort(every, kind="stable")
        return every[order], np.concatenate(found)[order]

    def _carried(self, wkt: str) -> _Local:
        geometries = self._geometries.to_crs(wkt).to_numpy()
        # A feature outside the domain of a projection gets infinite coordinates.
        broken = ~np.isfinite(shapely.bounds(geometries)).all(axis=1)
        geometries = np.where(broken, shapely.Point(), geometries)
        longitudes = None
        if CRS(wkt).is_geographic:
            if not self._geometries.crs.is_geographic:
                geometries = cut_at_antimeridian(geometries)
            west, _, east, _ = shapely.total_bounds(geometries)
            longitudes = (west, east) if np.isfinite(west) else None  # none is left
        return _Local(geometries, shapely.STRtree(geometries), longitudes)
