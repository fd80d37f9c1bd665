"""Overviews of a map: the most frequent class, or the mean."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.maps.cog import BLOCK
from sscl_geo.maps.raw import RawRaster
from sscl_geo.maps.steps import COMPILED_FROM

_ROWS: Final = 512
"""Rows that are halved at once; even, so that no pair is torn apart."""


Merge = Callable[[list[NDArray[Any]], float], NDArray[Any]]
"""Makes one raster of the four that stand at the corners of each 2 x 2 pixels, given nodata."""


def build_overviews(raster: RawRaster, geobox: GeoBox, merge: Merge) -> tuple[Path, ...]:
    """Write overviews of a raster beside it, each half as large as the one before.

    GDAL's own MODE gives as good a picture of classes, but took two thirds of the time of the whole
    copy into a COG; and it makes no overviews of float16.

    Args:
        raster: what is to be shown smaller.
        geobox: its grid.
        merge: :func:`most_frequent` for classes, :func:`average` for float16.

    Returns:
        virtual rasters at half, a quarter … of the resolution, down to one block of a COG.
    """
    levels: list[Path] = []
    name = raster.layer.name
    compiled = raster.height * raster.width >= COMPILED_FROM  # all levels, once it is there
    while max(raster.height, raster.width) > BLOCK:
        shape = -(-raster.height // 2), -(-raster.width // 2)
        path = raster.path.with_name(f"{name}.overview{len(levels) + 1}.raw")
        path.unlink(missing_ok=True)
        smaller = RawRaster(path, raster.layer, shape)
        row = 0
        for rows in _halved(raster, merge, compiled=compiled):
            smaller.write(row, 0, rows.transpose(1, 0, 2))
            row += len(rows)
        smaller.close()
        raster, geobox = smaller, geobox.zoom_to(shape)
        levels.append(raster.describe(path.with_suffix(".vrt"), geobox, {}))
    return tuple(levels)


def _halved(raster: RawRaster, merge: Merge, *, compiled: bool) -> Iterator[NDArray[Any]]:
    nodata = raster.layer.nodata
    for rows in raster.bands_of_rows(_ROWS):
        odd = ((0, rows.shape[0] % 2), (0, 0), (0, rows.shape[2] % 2))
        if odd[0][1] or odd[2][1]:
            rows = np.pad(rows, odd, constant_values=nodata)  # noqa: PLW2901 - the same rows
        if compiled and merge is most_frequent:
            from sscl_geo.maps.compiled_merging import halve

            smaller = np.empty((len(rows) // 2, rows.shape[1], rows.shape[2] // 2), rows.dtype)
            halve(rows, int(nodata), smaller)
            yield smaller
            continue
        # Copied together: every second byte is read one by one, and here only once.
        corners = [rows[y::2, :, x::2].copy() for y in (0, 1) for x in (0, 1)]
        yield merge(corners, nodata)


def most_frequent(rasters: list[NDArray[Any]], nodata: float) -> NDArray[Any]:
    """The value that most of some rasters have at a pixel, the first of equals.

    Args:
        rasters: integers of one shape and type.
        nodata: value that has no vote, and is shown only where all have it.
    """
    best = rasters[0].copy()
    votes = np.zeros(best.shape, np.int8)
    for raster in rasters:
        count = sum((raster == other).view(np.int8) for other in rasters)
        count = np.where(raster == nodata, 0, count)
        np.copyto(best, raster, where=count > votes)
        np.maximum(votes, count, out=votes)
    return best


def average(rasters: list[NDArray[Any]], nodata: float) -> NDArray[np.float16]:
    """The mean of some rasters at a pixel, among those that are not NaN; NaN where all are.

    Args:
        rasters: float16 of one shape.
        nodata: NaN.
    """
    stacked = np.stack(rasters).astype(np.float32)
    seen = np.isfinite(stacked)
    count = seen.sum(axis=0)
    total = np.where(seen, stacked, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), nodata).astype(np.float16)
