"""Tidying a finished class map: majority filter, sieve, minimum mapping unit."""

import math
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio import Band
from rasterio.features import sieve
from torch.nn.functional import avg_pool2d

from sscl_geo.classes import ClassTable
from sscl_geo.errors import ConfigError
from sscl_geo.geometry.grid import grid_shape
from sscl_geo.maps.areas import GroundArea
from sscl_geo.maps.raw import RawRaster

_ROWS = 256
"""Rows that are filtered at once."""

_PASSES = 20
"""Largest number of passes of the sieve; each merges regions that the one before made."""


@dataclass(frozen=True)
class PostProcessing:
    """How a class map is tidied, in this order.

    Attributes:
        majority: side in pixels, odd, of the square whose most frequent class each pixel gets; 1
            leaves the map alone.
        sieve: regions of fewer pixels are merged into the largest one beside them.
        minimum_area: regions of less ground, in hectares, are merged likewise; all pixels count as
            much as the one in the middle of the map.

    Raises:
        ConfigError: if a number is out of range.
    """

    majority: int = 1
    sieve: int = 0
    minimum_area: float = 0.0

    def __post_init__(self) -> None:
        if self.majority < 1 or self.majority % 2 == 0:
            raise ConfigError(
                f"A majority filter of {self.majority} pixels has no middle; choose an odd number."
            )
        if self.sieve < 0 or not self.minimum_area >= 0:
            raise ConfigError("A region cannot be smaller than nothing; choose 0 or more.")

    def apply(self, raster: RawRaster, classes: ClassTable, geobox: GeoBox) -> RawRaster:
        """Tidy a raster of classes; pixels without data stay as they are.

        The result is that of the whole raster at once, without seams. The majority filter goes by
        rows; the sieve holds 40 to 80 bytes for each region that it finds.

        Args:
            raster: classes, uint8 or uint16, complete.
            classes: which values there are.
            geobox: the grid.

        Returns:
            a raster beside it, or itself where there is nothing to do.
        """
        if self.majority > 1:
            raster = _filtered(raster, classes, self.majority)
        smallest = max(self.sieve, self._pixels(geobox))
        return _sieved(raster, smallest, geobox) if smallest > 1 else raster

    def _pixels(self, geobox: GeoBox) -> int:
        """Pixels of the smallest area, at the middle of the grid."""
        if self.minimum_area == 0:
            return 0
        height, width = grid_shape(geobox)
        hectares = GroundArea(geobox).pixel_hectares(np.array([height / 2]), np.array([width / 2]))
        if not np.isfinite(hectares[0]):
            raise ConfigError(
                "The scene has no place on the globe, so its pixels have no area in hectares; "
                "give the smallest region in pixels."
            )
        return math.ceil(round(self.minimum_area / float(hectares[0]), 6))


def _filtered(raster: RawRaster, classes: ClassTable, side: int) -> RawRaster:
    result = RawRaster(raster.path.with_name("majority.raw"), raster.layer, raster.shape)
    reach = side // 2
    for row in range(0, raster.height, _ROWS):
        above = min(row, reach)
        around = raster.read(row - above, row + _ROWS + reach)[:, 0]
        voted = majority(around, classes.values, side, int(raster.layer.nodata))
        result.write(row, 0, voted[None, above : above + _ROWS])
    result.close()
    return result


def majority(
    values: NDArray[np.unsignedinteger], classes: tuple[int, ...], side: int, nodata: int
) -> NDArray[np.unsignedinteger]:
    """The most frequent class in a square around each pixel.

    Of equally frequent classes that of the pixel itself wins, then the first in ``classes``. Pixels
    without data, and what lies beyond the raster, have no vote.

    Args:
        values: shape (rows, columns).
        classes: the values that vote.
        side: of the square, in pixels, odd.
        nodata: value of pixels without data, which they keep.
    """
    votes = torch.zeros(values.shape)
    best = np.full_like(values, nodata)
    occurs = np.bincount(values.ravel(), minlength=nodata + 1) > 0
    for value in classes:
        if not occurs[value]:
            continue
        has = torch.from_numpy(values == value).float()[None]
        # Half a vote more makes a pixel's own class win a tie, and no more than that.
        count = avg_pool2d(has, side, 1, side // 2, divisor_override=1)[0] + has[0] / 2
        best[(count > votes).numpy()] = value
        torch.maximum(votes, count, out=votes)
    best[values == nodata] = nodata
    return best


def _sieved(raster: RawRaster, smallest: int, geobox: GeoBox) -> RawRaster:
    """Merge small regions until none is left that has a neighbour.

    GDAL works row by row on what it is given. Given files that are mapped into memory, it leaves it
    to the system how much of them is held.
    """
    smallest = min(smallest, raster.height * raster.width)  # GDAL takes no more
    dtype = np.dtype(raster.layer.dtype)
    with _has_data(raster, geobox) as has_data:
        for number in range(_PASSES):
            merged = RawRaster(
                raster.path.with_name(f"sieve{number % 2}.raw"), raster.layer, raster.shape
            )
            # A copy has its place on the disk: a full one is an error here, and a crash below.
            shutil.copyfile(raster.path, merged.path)
            pixels = np.memmap(merged.path, dtype, "r+", shape=merged.shape)
            before = np.memmap(raster.path, dtype, "r", shape=raster.shape)
            sieve(before, smallest, out=pixels, mask=has_data)
            pixels.flush()
            changed = _differ(raster, merged)
            raster = merged
            if not changed:
                break
    return raster


def _differ(one: RawRaster, other: RawRaster) -> bool:
    pairs = zip(one.bands_of_rows(), other.bands_of_rows(), strict=True)
    return any((a != b).any() for a, b in pairs)


@contextmanager
def _has_data(raster: RawRaster, geobox: GeoBox) -> Generator[Band]:
    """A raster of 1 where there is data: masks are taken as files or copied into memory."""
    layer = replace(raster.layer, dtype="uint8")
    mask = RawRaster(raster.path.with_name("mask.raw"), layer, raster.shape)
    row = 0
    for rows in raster.bands_of_rows():
        mask.write(row, 0, (rows != raster.layer.nodata).astype(np.uint8).transpose(1, 0, 2))
        row += len(rows)
    mask.close()
    with rasterio.open(mask.describe(mask.path.with_suffix(".vrt"), geobox, {})) as source:
        yield rasterio.band(source, 1)
