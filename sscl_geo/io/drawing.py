"""Geometries to be drawn onto grids, found by where they lie."""

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.geometry.grid import grid_wkt


class _Local(NamedTuple):
    """Geometries in one coordinate reference system, with the index that finds them."""

    geometries: NDArray[np.object_]
    tree: shapely.STRtree


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

        They are in the coordinate reference system of the grid; those outside its domain are left
        out.
        """
        wkt = grid_wkt(geobox)
        if wkt not in self._local:
            geometries = self._geometries.to_crs(wkt).to_numpy()
            # A feature outside the domain of a projection gets infinite coordinates.
            broken = ~np.isfinite(shapely.bounds(geometries)).all(axis=1)
            geometries = np.where(broken, shapely.Point(), geometries)
            self._local[wkt] = _Local(geometries, shapely.STRtree(geometries))
        local = self._local[wkt]
        numbers = np.sort(local.tree.query(geobox.extent.geom))
        return numbers, local.geometries[numbers]
