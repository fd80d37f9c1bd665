"""Scenes on a common grid, for TorchGeo slices."""

from collections.abc import Callable

import numpy as np
import pyproj
import rasterio.warp
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling

from sscl_geo.geometry.affine import affine_from_matrix, compose, invert, matrix_from_affine
from sscl_geo.geometry.footprint import corners
from sscl_geo.geometry.grid import grid_shape, grid_wkt
from sscl_geo.io.reading import Patch
from sscl_geo.io.scene import Scene

type ReadWindow = Callable[[int, int, int, int], Patch]
"""Reads a window (row, col, height, width) of one scene."""


def target_grid(
    x: slice, y: slice, scene: Scene, crs: pyproj.CRS, res: tuple[float, float]
) -> GeoBox:
    """North-up grid over a slice, on the pixel corners of a scene where that is north-up too.

    Args:
        x: from west to east in units of ``crs``; the step, if any, is the pixel size.
        y: from south to north, likewise.
        scene: the scene whose pixel corners count.
        crs: coordinate reference system of the grid.
        res: pixel size (x, y) where the slices have no step.
    """
    xres, yres = float(x.step or res[0]), float(y.step or res[1])
    a, b, left, d, e, top = scene.geobox.affine[:6]
    aligned = b == d == 0 and a == xres and abs(e) == yres and scene.crs == crs
    x0, y1 = float(x.start), float(y.stop)
    if aligned:
        x0 = left + round((x0 - left) / xres) * xres
        y1 = top + round((y1 - top) / yres) * yres
    width = max(1, round((x.stop - x.start) / xres))
    height = max(1, round((y.stop - y.start) / yres))
    return GeoBox((height, width), Affine(xres, 0, x0, 0, -yres, y1), crs)


def read_onto(target: GeoBox, scene: Scene, read: ReadWindow) -> Patch:
    """Read one scene onto a target grid, without interpolation where the grids agree.

    Args:
        target: the grid; any coordinate reference system.
        scene: the scene that is read.
        read: reads a window of it.

    Returns:
        pixels on the target grid, bilinear where the grids differ; pixels without data take no
        part, and a pixel is valid where they would have less than half of the weight.
    """
    shape = grid_shape(target)
    source_from_target = compose(
        invert(matrix_from_affine(scene.geobox.affine)), matrix_from_affine(target.affine)
    )
    offset = source_from_target[:, 2].round()
    if (
        scene.crs == target.crs
        and np.allclose(source_from_target[:, :2], np.eye(2), rtol=0, atol=1e-9 / max(shape))
        and np.allclose(source_from_target[:, 2], offset, rtol=0, atol=1e-3)
    ):
        return read(int(offset[1]), int(offset[0]), *shape)
    row, col, height, width = _covering_window(scene, target)
    patch = read(row, col, height, width)
    grids = {
        "src_transform": scene.geobox.affine @ Affine.translation(col, row),
        "src_crs": scene.crs.wkt,
        "dst_transform": target.affine,
        "dst_crs": grid_wkt(target),
    }
    image = np.zeros((len(patch.image), *shape), np.float32)
    weight = np.zeros(shape, np.float32)
    rasterio.warp.reproject(
        patch.image.astype(np.float32),
        image,
        resampling=Resampling.bilinear,
        init_dest_nodata=False,
        **grids,
    )
    rasterio.warp.reproject(
        patch.valid.astype(np.float32), weight, resampling=Resampling.bilinear, **grids
    )
    # Invalid pixels are 0 in the image, so dividing by the weight undoes their share.
    valid = weight >= 0.5
    return Patch(np.where(valid, image / np.where(valid, weight, 1), 0).astype(np.float32), valid)


def _covering_window(scene: Scene, target: GeoBox) -> tuple[int, int, int, int]:
    """Window (row, col, height, width) of a scene that covers a target grid, with a margin."""
    xy = corners(matrix_from_affine(target.affine), grid_shape(target))
    box = (xy[:, 0].min(), xy[:, 1].min(), xy[:, 0].max(), xy[:, 1].max())
    if target.crs != scene.crs:
        box = rasterio.warp.transform_bounds(grid_wkt(target), scene.crs.wkt, *box, densify_pts=21)
    ring = np.array([[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]]])
    inverse = ~affine_from_matrix(matrix_from_affine(scene.geobox.affine))
    cols, rows = inverse @ (ring[:, 0], ring[:, 1])
    top, left = int(np.floor(min(rows))) - 2, int(np.floor(min(cols))) - 2
    bottom, right = int(np.ceil(max(rows))) + 2, int(np.ceil(max(cols))) + 2
    height, width = scene.shape
    top, left, bottom, right = max(top, 0), max(left, 0), min(bottom, height), min(right, width)
    return top, left, max(bottom - top, 1), max(right - left, 1)
