"""Points, lines and polygons as labels, on any grid and in any coordinate reference system."""

import warnings
from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS

from sscl_geo.errors import LabelError, SkippedLabelWarning
from sscl_geo.geometry.grid import grid_shape
from sscl_geo.geometry.longitudes import moved_east, whole_turns
from sscl_geo.io.class_column import read_classes
from sscl_geo.io.class_table import Classification
from sscl_geo.io.drawing import Drawing
from sscl_geo.io.labels import Overlap
from sscl_geo.io.qgis_style import style_beside
from sscl_geo.io.rasterize import rasterize
from sscl_geo.io.remap import Remap
from sscl_geo.io.vector_layers import read_layers


class VectorLabels:
    """Labels from vector layers with a class column.

    The file is read once, and reprojected once for each coordinate reference system that is asked
    for. Where features overlap, points lie on top of lines and lines on top of polygons; among
    features of one kind ``overlap`` decides, by default as a GIS draws them.

    Args:
        path: any file that pyogrio reads.
        wanted: the classes to expect; those of the column if it holds none. Text is matched by
            name, numbers by value.
        column: the class column; chosen if None (see
            :func:`sscl_geo.io.class_column.read_classes`).
        layers: names of the layers to read together, for files that have several.
        remap: rules that merge, rename or drop classes.
        overlap: ``"last"`` or ``"first"`` in the file, or the ``"smallest"`` lies on top; or pixels
            that features of different classes take are left without a label (``"ignore"``), of
            whatever kind the features are.
        crs: coordinate reference system in place of the one that the file names.

    Raises:
        LabelError: if the file cannot be read, has no coordinate reference system, no feature with
            a class, or a class outside ``wanted``.
    """

    def __init__(
        self,
        path: str,
        wanted: Classification | None = None,
        column: str | None = None,
        layers: Sequence[str] = (),
        remap: Remap | None = None,
        overlap: Overlap = "last",
        crs: str | None = None,
    ) -> None:
        self.path, self.overlap = path, overlap
        frame, layers = read_layers(path, layers, crs)
        found = read_classes(frame, path, wanted, column, remap, style_beside(path, layers))
        self.classes, self.is_named_only = found.classes, found.is_named_only
        has_shape = ~(frame.geometry.isna() | frame.geometry.is_empty).to_numpy()
        usable = found.is_filled & has_shape
        if not usable.all():
            warnings.warn(
                f"{np.count_nonzero(~usable)} of {len(usable)} features of {path} have no geometry "
                f"or no class in {found.column!r} and were left out.",
                SkippedLabelWarning,
                stacklevel=2,
            )
        # Features that a rule drops are kept where they may hide others.
        if not (usable & (found.indices != found.classes.ignore_index)).any():
            raise LabelError(
                f"{path} has no feature with both a geometry and a class in {found.column!r}; "
                "name another column, or fill it in."
            )
        flat = shapely.force_2d(frame.geometry.to_numpy()[usable])
        order = _drawing_order(flat, overlap)
        self._drawing = Drawing(gpd.GeoSeries(flat[order], crs=frame.crs))
        self._indices = found.indices[usable][order]
        self.crs = frame.crs.to_wkt()
        self.extent = shapely.box(*shapely.total_bounds(flat))

    def on_grid(self, geobox: GeoBox) -> NDArray[np.unsignedinteger]:
        """Class indices on a grid.

        A polygon labels the pixels whose centre it holds, a point the pixel that holds it, a line
        the pixels along it.

        Args:
            geobox: the grid; any orientation and coordinate reference system.

        Returns:
            ``classes.index_dtype`` of shape (height, width): class index, ``classes.ignore_index``
            where there is no label.
        """
        hits, geometries = self._drawing.near(geobox)
        indices = self._indices[hits]
        if self.overlap != "ignore":
            return rasterize(geometries, indices, geobox)
        ignored = self.classes.ignore_index
        result = np.full(grid_shape(geobox), ignored, indices.dtype)
        taken = np.zeros(result.shape, bool)
        for index in np.unique(indices):
            of_class = indices == index
            drawn = np.zeros(np.count_nonzero(of_class), np.uint8)
            own = rasterize(geometries[of_class], drawn, geobox) == 0
            result[own] = np.where(taken[own], ignored, index)
            taken |= own
        return result

    def overlaps(self, geobox: GeoBox) -> bool:
        """True if the extents of labels and grid share ground."""
        ground = geobox.footprint(self.crs).geom
        if not CRS(self.crs).is_geographic:
            return ground.intersects(self.extent)
        own, wanted = (shape.bounds[::2] for shape in (self.extent, ground))
        return any(
            ground.intersects(moved_east(self.extent, turn)) for turn in whole_turns(own, wanted)
        )


def _drawing_order(geometries: NDArray[np.object_], overlap: Overlap) -> NDArray[np.intp]:
    """Order in which to draw: polygons, lines, points; the last of each kind lies on top."""
    at = np.arange(len(geometries))
    if overlap == "first":
        within = -at
    elif overlap == "smallest":
        # Features that overlap lie at one place, where a projection stretches all of them alike.
        within = -np.where(shapely.get_dimensions(geometries) == 2, shapely.area(geometries),
                           shapely.length(geometries))  # fmt: skip
    else:
        within = at
    return np.lexsort((at, within, -shapely.get_dimensions(geometries)))
