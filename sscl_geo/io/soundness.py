"""Whether a file that opens can be used."""

from pathlib import Path

import pyproj.exceptions
import rasterio
import rasterio.errors
from odc.geo.crs import CRS

from sscl_geo.errors import SceneError


def usable_crs(path: str, source: rasterio.DatasetReader) -> CRS:
    """The coordinate reference system of a raster, one that PROJ understands and lies on Earth.

    Args:
        path: its name, for messages.
        source: the open raster.

    Raises:
        SceneError: if its coordinate reference system cannot be used.
    """
    try:
        # GDAL logs what it cannot export, PROJ what it cannot read; both are said once, here.
        crs = CRS(source.crs.to_wkt())
        local = crs.proj.is_engineering
    except (rasterio.errors.CRSError, pyproj.exceptions.CRSError) as error:
        raise SceneError(
            f"{path} has a coordinate reference system that PROJ cannot read; assign another, for "
            f"example with 'gdal_edit.py -a_srs EPSG:32612 FILE' ({error})."
        ) from error
    if local:
        raise SceneError(
            f"{path} has a local coordinate system without a place on Earth; assign another, for "
            "example with 'gdal_edit.py -a_srs EPSG:32612 FILE'."
        )
    return crs


def is_truncated(path: str, source: rasterio.DatasetReader) -> bool:
    """True if the last row of blocks of a local TIFF lies beyond the end of the file.

    The blocks of an image that was written or fetched in part are missing from its end; to look at
    all of them would cost seconds for large scenes.
    """
    if source.driver not in {"GTiff", "COG"} or not Path(path).is_file():
        return False
    size = Path(path).stat().st_size
    height, width = source.block_shapes[0]
    last = -(-source.height // height) - 1
    for col in range(-(-source.width // width)):
        for band in (1, source.count):
            offset = source.get_tag_item(f"BLOCK_OFFSET_{col}_{last}", "TIFF", band)
            length = source.get_tag_item(f"BLOCK_SIZE_{col}_{last}", "TIFF", band)
            # No offset: a block of a sparse file that was never written.
            if offset and length and int(offset) + int(length) > size:
                return True
    return False
