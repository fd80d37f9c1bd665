"""An area of interest: a vector file or a geometry, in any coordinate reference system."""

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataSourceError
from shapely.geometry.base import BaseGeometry

from sscl_geo.errors import ConfigError
from sscl_geo.geometry.longitudes import cut_at_antimeridian, moved_east, whole_turns

type AreaOfInterest = str | os.PathLike[str] | BaseGeometry | gpd.GeoSeries | gpd.GeoDataFrame
"""A vector file, or polygons; a bare geometry is in the CRS of what it is applied to."""

_PARTS_OF_A_SIDE = 64
"""Edges are cut to a 64th of the area's extent before they are reprojected. A straight edge of one
degree strays by 120 m from a straight line in UTM; cut so, by 3 cm."""


class Area:
    """Ground to look at, as one polygon in whatever coordinate reference system it is asked for.

    Args:
        aoi: a vector file, or polygons.
        crs: coordinate reference system of a bare geometry.

    Raises:
        ConfigError: if the file cannot be read, there is no polygon, or no coordinate reference
            system.
    """

    def __init__(self, aoi: AreaOfInterest, crs: pyproj.CRS) -> None:
        series = _polygons(aoi, crs)
        self.crs = pyproj.CRS(series.crs)
        self._geometry = shapely.union_all(shapely.make_valid(series.to_numpy()))

    def to_crs(self, crs: pyproj.CRS, around: BaseGeometry) -> BaseGeometry:
        """The area in a coordinate reference system, with edges that bend as they should.

        Args:
            crs: the coordinate reference system.
            around: ground in it. In degrees, the area is brought to the turn around the globe that
                the ground's longitudes belong to.
        """
        carried = self._geometry if crs == self.crs else self._bent(crs, around)
        if not crs.is_geographic:
            return carried
        turns = whole_turns(carried.bounds[::2], around.bounds[::2])
        if turns in ([], [0.0]):
            return carried
        return shapely.union_all([moved_east(carried, turn) for turn in turns])

    def _bent(self, crs: pyproj.CRS, around: BaseGeometry) -> BaseGeometry:
        carried = _carry(self._geometry, self.crs, crs)
        if not np.isfinite(shapely.bounds(carried)).all():
            # It reaches beyond what the projection knows: the part near the ground is enough.
            near = shapely.box(*shapely.total_bounds(_carry(around, crs, self.crs)))
            near = near.buffer(0.05 * near.length)
            carried = _carry(shapely.intersection(self._geometry, near), self.crs, crs)
        if crs.is_geographic and not self.crs.is_geographic:
            carried = cut_at_antimeridian(carried)
        return shapely.make_valid(carried[0])


def _carry(geometry: BaseGeometry, source: pyproj.CRS, target: pyproj.CRS) -> NDArray[np.object_]:
    west, south, east, north = geometry.bounds
    dense = shapely.segmentize(geometry, max(east - west, north - south) / _PARTS_OF_A_SIDE)
    return gpd.GeoSeries([dense], crs=source).to_crs(target).to_numpy()


def _polygons(aoi: AreaOfInterest, crs: pyproj.CRS) -> gpd.GeoSeries:
    name = "The area of interest"
    if isinstance(aoi, BaseGeometry):
        series = gpd.GeoSeries([aoi], crs=crs)
    elif isinstance(aoi, gpd.GeoSeries | gpd.GeoDataFrame):
        series = aoi.geometry
    else:
        name = f"The area of interest {os.fspath(aoi)}"
        try:
            series = gpd.read_file(aoi).geometry
        except (DataSourceError, AttributeError) as error:
            missing = "there is no such file" if not Path(aoi).exists() else "it is no vector file"
            raise ConfigError(
                f"{name} cannot be read ({missing}); give a file that ogrinfo can read."
            ) from error
    if series.crs is None:
        raise ConfigError(
            f"{name} has no coordinate reference system; assign one, for example with "
            "'ogr2ogr -a_srs EPSG:4326 OUT FILE'."
        )
    series = series[series.geom_type.isin(["Polygon", "MultiPolygon"]) & ~series.is_empty]
    if series.empty:
        raise ConfigError(f"{name} holds no polygon; give polygons.")
    return series
