"""Class rasters as labels, on any grid and in any coordinate reference system."""

import os

import numpy as np
import rasterio
import rasterio.warp
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import CRSError

from sscl_geo.classes import IGNORE_INDEX, NODATA, ClassTable
from sscl_geo.errors import LabelError, SceneError
from sscl_geo.geometry.affine import invert, matrix_from_affine, transform_points
from sscl_geo.geometry.footprint import corners
from sscl_geo.geometry.grid import grid_shape, grid_wkt, window_offset
from sscl_geo.io.legend import read_legend
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import Scene, open_scene
from sscl_geo.progress import track

_TILE = 1024


class RasterLabels:
    """Labels from the first band of a raster.

    Pixels with the file's nodata value, NaN, a mask, or the value 255 carry no label. Values may be
    stored as floating point numbers as long as they are whole.

    Args:
        path: any raster that GDAL reads.
        classes: the classes; if None, every value that occurs, with the file's own names and
            colours where it has them (the file is scanned once).

    Raises:
        LabelError: if the file is no georeferenced raster of one band, holds no label, or a value
            outside ``classes``.
    """

    is_named_only = False

    def __init__(self, path: str | os.PathLike[str], classes: ClassTable | None = None) -> None:
        self.path = os.fspath(path)
        try:
            self.scene: Scene = open_scene(self.path)
        except SceneError as error:
            raise LabelError(f"The labels cannot be used: {error}") from error
        if len(self.scene.bands) != 1:
            raise LabelError(
                f"The label raster {self.path} has {len(self.scene.bands)} bands; "
                "give one band of class values."
            )
        self.crs = grid_wkt(self.scene.geobox)
        self.extent = shapely.Polygon(
            corners(matrix_from_affine(self.scene.geobox.affine), self.scene.shape)
        )
        self.classes = classes if classes is not None else _scan(self.scene)
        self._index_of = np.full(NODATA + 1, IGNORE_INDEX, np.uint8)
        self._index_of[list(self.classes.values)] = np.arange(len(self.classes))

    def on_grid(self, geobox: GeoBox) -> NDArray[np.uint8]:
        """Class indices on a grid, by nearest neighbour.

        On the raster's own grid, or a window of it, pixels come through untouched. Other grids get
        the label whose pixel holds the centre of theirs, through an exact (not approximated)
        transformation of coordinates.

        Args:
            geobox: the grid; any orientation and coordinate reference system.

        Returns:
            uint8 of shape (height, width): class index, IGNORE_INDEX where there is no label.

        Raises:
            LabelError: if a value is outside the class table.
        """
        height, width = grid_shape(geobox)
        offset = window_offset(self.scene.geobox, geobox)
        with SceneReader(self.scene) as reader:
            if offset is not None:
                return self._read(reader, *offset, height, width)
            out = np.full((height, width), IGNORE_INDEX, np.uint8)
            # By tiles, so that fine labels under a coarse grid need little memory.
            for row in range(0, height, _TILE):
                for col in range(0, width, _TILE):
                    part = np.s_[row : min(row + _TILE, height), col : min(col + _TILE, width)]
                    self._warp(reader, geobox[part], out[part])
            return out

    def overlaps(self, geobox: GeoBox) -> bool:
        """True if the extents of labels and grid share ground."""
        return geobox.footprint(self.crs).geom.intersects(self.extent)

    def _warp(self, reader: SceneReader, geobox: GeoBox, out: NDArray[np.uint8]) -> None:
        window = _covering_window(self.scene.geobox, geobox)
        if window is None:
            return
        row, col, height, width = window
        source = self.scene.geobox[row : row + height, col : col + width]
        target = np.full(out.shape, IGNORE_INDEX, np.uint8)
        rasterio.warp.reproject(
            self._read(reader, row, col, height, width),
            target,
            src_transform=source.affine,
            src_crs=grid_wkt(source),
            src_nodata=IGNORE_INDEX,
            dst_transform=geobox.affine,
            dst_crs=grid_wkt(geobox),
            dst_nodata=IGNORE_INDEX,
            resampling=Resampling.nearest,
            tolerance=0,
        )
        out[...] = target

    def _read(
        self, reader: SceneReader, row: int, col: int, height: int, width: int
    ) -> NDArray[np.uint8]:
        patch = reader.read(row, col, height, width)
        values = _whole_values(patch.image[0], patch.valid, self.path)
        indices = self._index_of[values]
        unknown = (values != NODATA) & (indices == IGNORE_INDEX)
        if unknown.any():
            raise LabelError(
                f"{self.path} holds the class value {values[unknown][0]}, which is not among the "
                f"classes {', '.join(map(str, self.classes.values))}; add it to the class table, "
                "or make it the raster's nodata value."
            )
        return indices


def _scan(scene: Scene) -> ClassTable:
    """Class table of every value that occurs, read tile by tile."""
    height, width = scene.shape
    seen = np.zeros(NODATA + 1, bool)
    tiles = [(r, c) for r in range(0, height, _TILE) for c in range(0, width, _TILE)]
    with SceneReader(scene) as reader:
        for row, col in track(tiles, "classes"):
            patch = reader.read(row, col, min(_TILE, height - row), min(_TILE, width - col))
            seen[_whole_values(patch.image[0], patch.valid, scene.path)] = True
    values = np.flatnonzero(seen[:NODATA]).tolist()
    if not values:
        raise LabelError(f"The label raster {scene.path} holds no label; check its nodata value.")
    return read_legend(scene.path).table(values)


def _whole_values(
    pixels: NDArray[np.float32], valid: NDArray[np.bool_], path: str
) -> NDArray[np.uint8]:
    """Class values as uint8, NODATA where there is none."""
    values = np.where(valid, pixels, NODATA)
    bad = (values < 0) | (values > NODATA) | (values != np.round(values))
    if bad.any():
        raise LabelError(
            f"{path} holds the value {values[bad][0]:g}, which is no class value; use whole "
            f"numbers from 0 to {NODATA - 1}, and declare a nodata value for unlabelled pixels."
        )
    return values.astype(np.uint8)


def _covering_window(source: GeoBox, target: GeoBox) -> tuple[int, int, int, int] | None:
    """(row, col, height, width) of the source that covers a target grid, or None."""
    xy = corners(matrix_from_affine(target.affine), grid_shape(target))
    box = (*xy.min(axis=0), *xy.max(axis=0))
    try:
        left, bottom, right, top = rasterio.warp.transform_bounds(
            grid_wkt(target),
            grid_wkt(source),
            *box,
            densify_pts=21,
        )
    except CRSError:
        return None
    ring = np.array([[left, bottom], [right, bottom], [right, top], [left, top]])
    if not np.isfinite(ring).all():
        return None
    cols_rows = transform_points(invert(matrix_from_affine(source.affine)), ring)
    col0, row0 = np.maximum(np.floor(cols_rows.min(axis=0)) - 2, 0).astype(int)
    limit = np.array([source.shape[1], source.shape[0]])
    col1, row1 = np.minimum(np.ceil(cols_rows.max(axis=0)) + 2, limit).astype(int)
    if row0 >= row1 or col0 >= col1:
        return None
    return int(row0), int(col0), int(row1 - row0), int(col1 - col0)
