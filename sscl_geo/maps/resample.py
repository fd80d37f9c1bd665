"""A scene seen at the resolution that a network was trained on."""

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.shutil import copy  # ty: ignore[import-not-found] - compiled
from rasterio.vrt import WarpedVRT

from sscl_geo.bundle import Bundle
from sscl_geo.errors import SceneError
from sscl_geo.geometry.grid import grid_wkt
from sscl_geo.io.remote import side_car_env
from sscl_geo.io.scene import Scene, open_scene
from sscl_geo.maps.resolution import fits_resolution, length_unit, unit_of

_WARP_MEMORY_MB: Final = 64


def resample(scene: Scene, bundle: Bundle) -> Scene:
    """Show a scene on a grid with a bundle's resolution.

    Nothing is written: the scene is warped while it is read. Pixels that become larger are averages
    of what they cover, pixels that become smaller are interpolated bilinearly, both among pixels
    with data. The grid keeps the origin, the orientation and the coordinate reference system of the
    scene; a scene in degrees, or feet, is brought to its UTM zone for a bundle in metres.

    Args:
        scene: what was opened.
        bundle: gives the resolution.

    Returns:
        the scene itself where its resolution is the bundle's already.

    Raises:
        SceneError: if there is no way from one to the other.
    """
    if fits_resolution(bundle, scene):
        return scene
    if scene.clouds is not None:
        raise SceneError(
            f"{scene.path} has a cloud mask, which is not resampled with it; write the scene at "
            "the bundle's resolution first, for example with gdalwarp."
        )
    grid = _grid(scene, bundle)
    coarser = abs(grid.affine.determinant) > abs(_on_crs_of(grid, scene).affine.determinant)
    try:
        with (
            side_car_env(scene.source),
            rasterio.open(scene.source) as source,
            WarpedVRT(
                source,
                crs=grid_wkt(grid),
                transform=grid.affine,
                height=int(grid.shape[0]),
                width=int(grid.shape[1]),
                resampling=Resampling.average if coarser else Resampling.bilinear,
                add_alpha=scene.alpha is None,
                warp_mem_limit=_WARP_MEMORY_MB,
            ) as warped,
            tempfile.TemporaryDirectory() as folder,
        ):
            path = Path(folder) / "warped.vrt"
            copy(warped, path, driver="VRT")
            xml = path.read_text(encoding="utf-8")
    except RasterioError as error:
        raise SceneError(
            f"{scene.path} cannot be brought to the bundle's resolution ({error}); resample it "
            "first, for example with gdalwarp."
        ) from error
    # Warping keeps the numbers, whatever it does to the tags.
    return replace(open_scene(scene.path, vrt=xml), scale=scene.scale, offset=scene.offset)


def _grid(scene: Scene, bundle: Bundle) -> GeoBox:
    (width, height), wanted = scene.pixel_size, bundle.resolution
    if unit_of(scene) == (unit := length_unit(bundle.resolution_unit)):
        zoom = Affine.scale(wanted[0] / width, wanted[1] / height)
        shape = (
            math.ceil(round(scene.shape[0] * height / wanted[1], 6)),
            math.ceil(round(scene.shape[1] * width / wanted[0], 6)),
        )
        return GeoBox(shape, scene.geobox.affine @ zoom, scene.geobox.crs)
    if unit != "metre":
        raise SceneError(
            f"{scene.path} is in {unit_of(scene) or 'no unit'} but the model was trained on pixels "
            f"in {unit}; warp the scene first, for example with gdalwarp."
        )
    return scene.geobox.to_crs("utm", resolution=wanted[0], tight=True)  # ty: ignore[invalid-argument-type] - numbers are taken too


def _on_crs_of(grid: GeoBox, scene: Scene) -> GeoBox:
    """The scene's own grid, brought to another reference system to compare sizes of pixels."""
    return scene.geobox if grid.crs == scene.geobox.crs else scene.geobox.to_crs(grid_wkt(grid))
