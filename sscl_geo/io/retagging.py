"""Opening a raster in another coordinate reference system than it says."""

import secrets
import xml.etree.ElementTree as ET
from pathlib import Path

import pyproj
import rasterio
from pyproj.exceptions import CRSError
from rasterio.errors import RasterioIOError
from rasterio.shutil import copy, delete, exists  # ty: ignore[import-not-found] - compiled

from sscl_geo.errors import SceneError
from sscl_geo.io.remote import side_car_env
from sscl_geo.io.scene import Scene, open_scene


def open_in_crs(path: str, crs: str) -> Scene:
    """Open a raster that has no coordinate reference system, or a wrong one.

    Nothing is warped: the pixels are taken to lie in ``crs``.

    Args:
        path: any raster that GDAL reads.
        crs: code such as ``EPSG:32612``, or WKT.

    Raises:
        SceneError: if ``crs`` cannot be understood, or as ``open_scene`` does.
    """
    try:
        wkt = pyproj.CRS.from_user_input(crs).to_wkt()
    except CRSError as error:
        raise SceneError(
            f"{crs!r} is no coordinate reference system; give a code such as EPSG:32612, or WKT."
        ) from error
    described = f"/vsimem/{secrets.token_hex(8)}.vrt"
    try:
        name = Path(path).absolute() if Path(path).exists() else path
        with side_car_env(path), rasterio.open(name) as source:
            copy(source, described, driver="VRT")
        with rasterio.open(described) as source:
            root = ET.fromstring(source.tags(ns="xml:VRT")["xml:VRT"])  # noqa: S314 - GDAL wrote it
    except RasterioIOError as error:
        raise SceneError(
            f"Cannot open {path} as a raster; give a file that gdalinfo can read ({error})."
        ) from error
    finally:
        if exists(described):
            delete(described, driver="VRT")
    for old in root.findall("SRS"):
        root.remove(old)
    root.insert(0, ET.Element("SRS"))
    root[0].text = wkt
    return open_scene(path, vrt=ET.tostring(root, encoding="unicode"))
