"""Whether a file that opens can be used."""

from pathlib import Path

import pyproj.exceptions
import rasterio
import rasterio.errors
from odc.geo.crs import CRS

from sscl_geo.errors import SceneError
from sscl_geo.io.tiff_size import declared_size


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
    """True if a block of a local TIFF, of its overviews or its mask lies beyond the file's end.

    Blocks need not lie in the order of their rows, so all of them count.

    Args:
        path: its name.
        source: the open raster.
    """
    if source.driver not in {"GTiff", "COG"} or not Path(path).is_file():
        return False
    size = Path(path).stat().st_size
    return declared_size(Path(path), size) > size
