"""A map as polygons, one for each connected region of a class."""

from collections.abc import Iterator
from itertools import batched
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pyogrio
import rasterio
import shapely
from odc.geo.geobox import GeoBox
from rasterio.features import shapes

from sscl_geo.classes import NODATA, ClassTable
from sscl_geo.geometry.affine import matrix_from_affine, transform_points
from sscl_geo.maps.areas import GroundArea

CHUNK: Final = 50_000
"""Polygons that are converted and written at once."""


def write_polygons(class_map: Path, path: Path, classes: ClassTable, geobox: GeoBox) -> None:
    """Write the regions of a map as polygons into a GeoPackage.

    The whole map is traced at once, so no polygon is cut where tiles met. Pixels that touch at a
    corner only belong to different polygons, so every polygon is valid, and burning the polygons
    back into the grid gives the map again. The raster is read row by row; the memory needed grows
    with the number and the outlines of the regions.

    The layer ``classes`` has the columns ``value`` (class value), ``name`` (class name) and
    ``area_ha`` (ground area in hectares; missing on grids without a place on the globe).

    Args:
        class_map: the map, one uint8 band of class values; :data:`~sscl_geo.classes.NODATA` is
            left out.
        path: file to write.
        classes: values and names.
        geobox: the map's grid.

    Raises:
        DataSourceError: if the file cannot be written.
    """
    ground = GroundArea(geobox)
    names = {c.value: c.name for c in classes}
    started = False
    for regions in batched(_regions(class_map), CHUNK):
        outlines, values = zip(*regions, strict=True)
        polygons = np.array([shapely.Polygon(o[0], o[1:]) for o in outlines])
        frame = gpd.GeoDataFrame(
            {"value": np.array(values, dtype=np.int32), "name": [names[v] for v in values]},
            geometry=polygons,
            crs=geobox.crs.to_wkt() if geobox.crs else None,
        )
        if ground.is_known:
            frame["area_ha"] = _hectares(polygons, geobox, ground)
        pyogrio.write_dataframe(
            frame, path, layer="classes", driver="GPKG", append=started, geometry_type="Polygon"
        )
        started = True


def _regions(class_map: Path) -> Iterator[tuple[list[list[tuple[float, float]]], int]]:
    with rasterio.open(class_map) as source:
        for geometry, value in shapes(rasterio.band(source, 1), connectivity=4):
            if int(value) != NODATA:
                yield geometry["coordinates"], int(value)


def _hectares(polygons: np.ndarray, geobox: GeoBox, ground: GroundArea) -> np.ndarray:
    """Number of pixels of each polygon times the ground area of the pixel at its centroid."""
    centroids = shapely.get_coordinates(shapely.centroid(polygons))
    cols, rows = transform_points(matrix_from_affine(~geobox.affine), centroids).T
    pixels = np.round(shapely.area(polygons) / abs(geobox.affine.determinant))
    return pixels * ground.pixel_hectares(rows, cols)
