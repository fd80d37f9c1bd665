"""Rasters as people look at them: north at the top, small enough for a screen."""

import math
import os
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import ProjError
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioIOError
from rasterio.vrt import WarpedVRT

from sscl_geo.errors import SceneError
from sscl_geo.io.remote import side_car_env


def north_up_grid(geobox: GeoBox, max_side: int) -> GeoBox:
    """Grid of a picture of a raster: same coordinate reference system, rows from north to south.

    Where the raster's axes are those of the map every pixel of the grid is a pixel of the raster,
    or a block of them. Only rotated rasters get a grid of their own, with square pixels.

    Args:
        geobox: the raster's grid.
        max_side: longest side of the picture in pixels.
    """
    affine, (height, width) = geobox.affine, geobox.shape
    corners = [affine @ corner for corner in ((0, 0), (width, 0), (0, height), (width, height))]
    xs, ys = zip(*corners, strict=True)
    size_x, size_y = abs(affine.a), abs(affine.e)
    if affine.b or affine.d:
        size_x = size_y = math.sqrt(abs(affine.determinant))
        width = math.ceil((max(xs) - min(xs)) / size_x)
        height = math.ceil((max(ys) - min(ys)) / size_y)
    factor = max(1.0, max(height, width) / max_side)
    shape = (max(1, round(height / factor)), max(1, round(width / factor)))
    scale = Affine.scale(width / shape[1], height / shape[0])
    north_up = Affine(size_x, 0, min(xs), 0, -size_y, max(ys)) @ scale
    return GeoBox(shape, north_up, geobox.crs)


def read_on(
    path: str | os.PathLike[str], grid: GeoBox, indexes: list[int], resampling: Resampling
) -> np.ma.MaskedArray:
    """Read bands of a raster on a grid, from its overviews where these suffice.

    Args:
        path: the raster.
        grid: where to read, in any coordinate reference system.
        indexes: bands, counted from 1.
        resampling: how pixels are merged.

    Returns:
        masked array of shape (bands, height, width).

    Raises:
        SceneError: if the raster cannot be read.
    """
    height, width = grid.shape
    try:
        with side_car_env(path), rasterio.open(path) as source:
            steps = _steps(source, grid)
            if steps is not None:  # a warp would decode all pixels, however few are wanted
                shape = (len(indexes), height, width)
                pixels = source.read(indexes, out_shape=shape, resampling=resampling, masked=True)
                return pixels[:, :: steps[0], :: steps[1]]
            with WarpedVRT(
                source,
                crs=grid.crs.to_wkt() if grid.crs else None,
                transform=grid.affine,
                height=height,
                width=width,
                resampling=resampling,
                add_alpha=source.nodata is None and ColorInterp.alpha not in source.colorinterp,
            ) as view:
                return view.read(indexes, masked=True)
    except RasterioIOError as error:
        raise SceneError(
            f"Cannot read {Path(path).name} for a picture; check that it is a whole raster "
            f"({error})."
        ) from error


def pixel_metres(grid: GeoBox) -> tuple[float, float] | None:
    """Width and height of the grid's middle pixel on the ground, in metres; None if not known."""
    crs = CRS.from_user_input(grid.crs)
    geod: Geod | None = crs.get_geod()
    if geod is None or crs.geodetic_crs is None:
        return None
    try:
        to_degrees = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    except ProjError:  # an engineering grid, nowhere on the globe
        return None
    row, col = (side / 2 for side in grid.shape)
    steps = ((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5))
    x, y = np.transpose([grid.affine @ (col + dx, row + dy) for dx, dy in steps])
    lon, lat = to_degrees.transform(x, y)
    if not np.isfinite([lon, lat]).all():
        return None
    _, _, across = geod.inv(lon[0], lat[0], lon[1], lat[1])
    _, _, along = geod.inv(lon[2], lat[2], lon[3], lat[3])
    return float(across), float(along)


def _steps(source: rasterio.DatasetReader, grid: GeoBox) -> tuple[int, int] | None:
    """How to step through a raster's rows and columns, 1 or -1, to get the grid; None if no way."""
    affine = source.transform
    if (
        affine.b
        or affine.d
        or grid.crs is None
        or source.crs != rasterio.CRS.from_wkt(grid.crs.to_wkt())
    ):
        return None
    x0, y0 = affine @ (0, 0)
    x1, y1 = affine @ (source.width, source.height)
    extent = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    apart = np.abs(np.subtract(extent, grid.boundingbox.bbox)).max()
    if apart > 1e-3 * min(abs(affine.a), abs(affine.e)):
        return None
    return (-1 if affine.e > 0 else 1), (-1 if affine.a < 0 else 1)
