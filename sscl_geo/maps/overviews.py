"""Overviews of a class map that show the most frequent class."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.maps.cog import BLOCK
from sscl_geo.maps.raw import RawRaster

_ROWS: Final = 512
"""Rows that are halved at once; even, so that no pair is torn apart."""


def build_overviews(raster: RawRaster, geobox: GeoBox) -> tuple[Path, ...]:
    """Write overviews of a raster of classes beside it, each half as large as the one before.

    A pixel shows the class that most of the four below it have, the first of equals; pixels without
    data have no vote. GDAL's own MODE gives as good a picture, but took two thirds of the time of
    the whole copy into a COG.

    Args:
        raster: uint8 classes.
        geobox: its grid.

    Returns:
        virtual rasters at half, a quarter … of the resolution, down to one block of a COG.
    """
    levels: list[Path] = []
    while max(raster.height, raster.width) > BLOCK:
        shape = -(-raster.height // 2), -(-raster.width // 2)
        path = raster.path.with_name(f"overview{len(levels) + 1}.raw")
        path.unlink(missing_ok=True)
        smaller = RawRaster(path, raster.layer, shape)
        row = 0
        for rows in _halved(raster):
            smaller.write(row, 0, rows.transpose(1, 0, 2))
            row += len(rows)
        smaller.close()
        raster, geobox = smaller, geobox.zoom_to(shape)
        levels.append(raster.describe(path.with_suffix(".vrt"), geobox, {}))
    return tuple(levels)


def _halved(raster: RawRaster) -> Iterator[NDArray[np.uint8]]:
    nodata = int(raster.layer.nodata)
    for rows in raster.bands_of_rows(_ROWS):
        odd = ((0, rows.shape[0] % 2), (0, 0), (0, rows.shape[2] % 2))
        if odd[0][1] or odd[2][1]:
            rows = np.pad(rows, odd, constant_values=nodata)  # noqa: PLW2901 - the same rows
        # Copied together: every second byte is read one by one, and here only once.
        corners = [rows[y::2, :, x::2].copy() for y in (0, 1) for x in (0, 1)]
        yield most_frequent(corners, nodata)


def most_frequent(rasters: list[NDArray[np.uint8]], nodata: int) -> NDArray[np.uint8]:
    """The value that most of some rasters have at a pixel, the first of equals.

    Args:
        rasters: uint8 of one shape.
        nodata: value that is shown only where all have it.
    """
    best = rasters[0].copy()
    votes = np.zeros(best.shape, np.int8)
    for raster in rasters:
        count = sum((raster == other).view(np.int8) for other in rasters)
        count = np.where(raster == nodata, 0, count)
        np.copyto(best, raster, where=count > votes)
        np.maximum(votes, count, out=votes)
    return best
