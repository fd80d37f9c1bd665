"""Turning a finished raster into a Cloud Optimized GeoTIFF."""

import errno
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
from rasterio.shutil import copy  # ty: ignore[import-not-found] - compiled

BLOCK = 512
"""Height and width of the blocks of a COG, in pixels."""


def write_cog(
    source: Path, target: Path, overviews: Literal["MODE", "AVERAGE"], crc32: int
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
        crc32: checksum of all pixels, row after row, in each row band by band.

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
    if _crc32(target) != crc32:
        raise OSError(errno.EIO, "blocks are missing from what was written")


def _crc32(path: Path) -> int:
    value = 0
    with rasterio.open(path) as source:
        for row in range(0, source.height, BLOCK):
            window = ((row, min(row + BLOCK, source.height)), (0, source.width))
            pixels = source.read(window=window)
            value = zlib.crc32(np.ascontiguousarray(pixels.transpose(1, 0, 2)), value)
    return value
