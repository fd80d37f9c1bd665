"""Turning a finished raster into a Cloud Optimized GeoTIFF."""

import errno
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
from rasterio.shutil import copy  # ty: ignore[import-not-found] - compiled

from sscl_geo.maps.raw import RawRaster

BLOCK = 512
"""Height and width of the blocks of a COG, in pixels."""


def write_cog(
    source: Path, target: Path, overviews: Literal["MODE", "AVERAGE"], raster: RawRaster
) -> None:
    """Copy a raster into a Cloud Optimized GeoTIFF, in bounded memory.

    A COG cannot be changed afterwards without ceasing to be one, so everything that shall be in it
    must be in ``source``. Overviews that ``source`` has are taken over. Compression is DEFLATE at
    its fastest, which every reader knows: it takes half the time of LZW, GDAL's own choice, for
    files a tenth larger; its usual level takes more time than all else on the way from
    probabilities to the file.

    GDAL keeps quiet about blocks that it cannot write when it closes a file, and reads a missing
    block as nodata. So the copy is read back and compared with what was meant to be written.

    Args:
        source: raster to copy.
        target: file to write.
        overviews: how pixels are merged in overviews that ``source`` has not; ``"MODE"`` for
            classes.
        raster: the pixels that the copy must have.

    Raises:
        OSError: if blocks are missing, for example because the disk is full; GDAL's own errors
            otherwise, see :func:`~sscl_geo.maps.disk.writing_into`.
    """
    copy(
        source,
        target,
        driver="COG",
        BLOCKSIZE=BLOCK,
        COMPRESS="DEFLATE",
        LEVEL=1,
        PREDICTOR="NO",
        OVERVIEW_RESAMPLING=overviews,
        BIGTIFF="IF_SAFER",
        NUM_THREADS="ALL_CPUS",
    )
    if not _same_pixels(target, raster):
        raise OSError(errno.EIO, "blocks are missing from what was written")


def _same_pixels(path: Path, raster: RawRaster) -> bool:
    """Whether a file has the very bits of a raster: NaN is not equal to itself."""
    with rasterio.open(path) as source:
        for row, expected in zip(
            range(0, source.height, BLOCK), raster.bands_of_rows(BLOCK), strict=True
        ):
            window = ((row, row + len(expected)), (0, source.width))
            pixels = np.ascontiguousarray(source.read(window=window).transpose(1, 0, 2))
            if not np.array_equal(pixels.view(np.uint8), expected.view(np.uint8)):
                return False
    return True
