"""Class rasters as labels, on any grid and in any coordinate reference system."""

import numpy as np
import rasterio.warp
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling as Method
from rasterio.errors import CRSError

from sscl_geo.errors import LabelError, SceneError
from sscl_geo.geometry.affine import invert, matrix_from_affine, transform_points
from sscl_geo.geometry.footprint import corners
from sscl_geo.geometry.grid import grid_shape, grid_wkt, window_offset
from sscl_geo.io.class_table import Classification
from sscl_geo.io.label_colors import ColorCodes
from sscl_geo.io.label_values import label_values
from sscl_geo.io.labels import Resampling
from sscl_geo.io.reader_pool import ReaderPool
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.remap import Remap
from sscl_geo.io.retagging import open_in_crs
from sscl_geo.io.scene import Scene, open_scene

_TILE = 1024
_LARGEST = 4 * _TILE**2
"""Pixels of the labels that are read for one part of a coarser grid."""

_RESAMPLING = {"nearest": Method.nearest, "majority": Method.mode}


class RasterLabels:
    """Labels from a raster of one band of class values, or of three bands of their colours.

    Pixels with the file's nodata value, NaN, a mask, or the value 255 carry no label; 65535 instead
    of 255 where a class table, or the file's own names, have classes of higher values. Values may
    be stored as floating point numbers as long as they are whole. Colours need the classes and are
    read as :class:`~sscl_geo.io.label_colors.ColorCodes` says.

    Args:
        path: any raster that GDAL reads.
        wanted: the classes to expect; if it holds none, every value that occurs, with the file's
            own names and colours where it has them (the file is scanned once).
        remap: rules that merge, rename or drop classes; they may name any value of 16 bits, 255
            also.
        resampling: what a pixel of another grid gets, see :meth:`on_grid`.
        crs: coordinate reference system in place of the one that the file names.

    Raises:
        LabelError: if the file is no georeferenced raster of one band, or of three bands of bytes
            with ``wanted``, holds no label, or a value outside ``wanted``.
    """

    def __init__(
        self,
        path: str,
        wanted: Classification | None = None,
        remap: Remap | None = None,
        resampling: Resampling = "nearest",
        crs: str | None = None,
    ) -> None:
        self.path, self.resampling = path, resampling
        try:
            self.scene: Scene = open_scene(path) if crs is None else open_in_crs(path, crs)
        except SceneError as error:
            raise LabelError(
                f"The labels have no suffix of a vector file, and are no usable raster: {error}"
            ) from error
        wanted = wanted or Classification()
        self._colors = _color_codes(self.scene, wanted)
        self.crs = grid_wkt(self.scene.geobox)
        self.extent = shapely.Polygon(
            corners(matrix_from_affine(self.scene.geobox.affine), self.scene.shape)
        )
        values = label_values(self.scene, wanted, remap or Remap())
        self.classes, self.is_named_only = values.classes, values.is_named_only
        self._values = values
        # Kept open: to open a file takes longer than to read a patch of it.
        self._readers = ReaderPool.of([self.scene])

    def on_grid(self, geobox: GeoBox) -> NDArray[np.unsignedinteger]:
        """Class indices on a grid.

        On the raster's own grid, or a window of it, pixels come through untouched. Other grids get
        the label whose pixel holds the centre of theirs, through an exact (not approximated)
        transformation of coordinates; or, by ``"majority"``, the most frequent of the labels whose
        pixels reach into theirs, pixels without a label left out.

        Args:
            geobox: the grid; any orientation and coordinate reference system.

        Returns:
            ``classes.index_dtype`` of shape (height, width): class index, ``classes.ignore_index``
            where there is no label.

        Raises:
            LabelError: if a value is outside the class table.
        """
        height, width = grid_shape(geobox)
        offset = window_offset(self.scene.geobox, geobox)
        reader = self._readers[0]
        if offset is not None:
            return self._read(reader, *offset, height, width)
        out = self._nothing((height, width))
        # By tiles, so that fine labels under a coarse grid need little memory.
        for row in range(0, height, _TILE):
            for col in range(0, width, _TILE):
                part = np.s_[row : min(row + _TILE, height), col : min(col + _TILE, width)]
                self._warp(reader, geobox[part], out[part])
        return out

    def overlaps(self, geobox: GeoBox) -> bool:
        """True if the extents of labels and grid share ground."""
        return geobox.footprint(self.crs).geom.intersects(self.extent)

    def _warp(self, reader: SceneReader, geobox: GeoBox, out: NDArray[np.unsignedinteger]) -> None:
        window = _covering_window(
            self.scene.geobox, geobox, reaching_out=self.resampling == "majority"
        )
        if window is None:
            return
        row, col, height, width = window
        if height * width > _LARGEST and max(out.shape) > 1:
            axis = int(out.shape[1] > out.shape[0])
            half = out.shape[axis] // 2
            for part in (slice(None, half), slice(half, None)):
                of = (slice(None), part) if axis else (part, slice(None))
                self._warp(reader, geobox[of], out[of])
            return
        crs = grid_wkt(self.scene.geobox)
        target = self._nothing(out.shape)
        rasterio.warp.reproject(
            self._read(reader, row, col, height, width),
            target,
            src_transform=self.scene.geobox.affine @ Affine.translation(col, row),
            src_crs=crs,
            src_nodata=self.classes.ignore_index,
            dst_transform=geobox.affine,
            dst_crs=grid_wkt(geobox),
            dst_nodata=self.classes.ignore_index,
            resampling=_RESAMPLING[self.resampling],
            tolerance=0,
        )
        out[...] = target

    def _nothing(self, shape: tuple[int, ...]) -> NDArray[np.unsignedinteger]:
        return np.full(shape, self.classes.ignore_index, self.classes.index_dtype)

    def _read(
        self, reader: SceneReader, row: int, col: int, height: int, width: int
    ) -> NDArray[np.unsignedinteger]:
        patch = reader.read_raw(row, col, height, width)
        return self._values.indices(self._colors.decode(patch) if self._colors else patch)


def _color_codes(scene: Scene, wanted: Classification) -> ColorCodes | None:
    """How the colours of a raster are to be read; None if it holds values."""
    if len(scene.bands) == 1:
        return None
    if len(scene.bands) == 3 and scene.dtype == "uint8" and wanted.table is not None:
        return ColorCodes(wanted.table, scene.path)
    raise LabelError(
        f"The label raster {scene.path} has {len(scene.bands)} bands; give one band of class "
        "values, or three bands of bytes together with a class table that has their colours."
    )


def _covering_window(
    source: GeoBox, target: GeoBox, *, reaching_out: bool
) -> tuple[int, int, int, int] | None:
    """(row, col, height, width) of the source that covers a target grid, or None.

    It may reach beyond the source by a pixel of the target: GDAL's mode leaves pixels out whose
    centre lies beside what it is given, depending on how the target was cut.
    """
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
    first = np.floor(cols_rows.min(axis=0)).astype(int) - 2
    last = np.ceil(cols_rows.max(axis=0)).astype(int) + 2
    limit = np.array([source.shape[1], source.shape[0]])
    if (last <= 0).any() or (first >= limit).any():
        return None
    beyond = -(-int((last - first).max()) // min(grid_shape(target))) if reaching_out else 0
    col0, row0 = np.maximum(first, -beyond).tolist()
    col1, row1 = np.minimum(last, limit + beyond).tolist()
    return row0, col0, row1 - row0, col1 - col0
