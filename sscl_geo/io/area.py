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

_LARGE = 20
"""Degrees from which on an area may reach beyond what a projection knows: the part around the
ground that is asked about is enough then."""


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
        geometry = self._geometry
        west, south, east, north = geometry.bounds
        from_degrees = self.crs.is_geographic and not crs.is_geographic
        if from_degrees and max(east - west, north - south) > _LARGE:
            geometry = shapely.intersection(geometry, _surroundings(around, crs, self.crs))
        carried = _carry(geometry, self.crs, crs)
        if crs.is_geographic and not self.crs.is_geographic:
            carried = cut_at_antimeridian(carried)
        return shapely.make_valid(carried[0])


def _surroundings(around: BaseGeometry, crs: pyproj.CRS, degrees: pyproj.CRS) -> BaseGeometry:
    """A box in longitude and latitude around some ground, with a margin."""
    west, south, east, north = shapely.total_bounds(_carry(around, crs, degrees))
    poles = gpd.GeoSeries.from_xy([0, 0], [-90, 90], crs=degrees).to_crs(crs).to_numpy()
    holds_pole = np.isfinite(shapely.bounds(poles)).all(axis=1) & shapely.contains(around, poles)
    if holds_pole.any():
        west, east = -180.0, 180.0
        south, north = (-90.0 if holds_pole[0] else south), (90.0 if holds_pole[1] else north)
    margin = 0.05 * (east - west + north - south)
    return shapely.box(west - margin, south - margin, east + margin, north + margin)


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
