"""Points, lines and polygons as labels, on any grid and in any coordinate reference system."""

import warnings
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyogrio.errors import DataSourceError

from sscl_geo.classes import ClassTable
from sscl_geo.errors import LabelError, SkippedLabelWarning
from sscl_geo.geometry.grid import grid_wkt
from sscl_geo.io.class_column import read_classes
from sscl_geo.io.rasterize import rasterize


class _Drawing(NamedTuple):
    """Geometries in one coordinate reference system, with the index that finds them."""

    geometries: NDArray[np.object_]
    tree: shapely.STRtree


class VectorLabels:
    """Labels from a vector layer with a class column.

    The file is read once, and reprojected once for each coordinate reference system that is asked
    for. Where features overlap, points lie on top of lines and lines on top of polygons; among
    features of one kind the later one in the file lies on top, as a GIS draws them.

    Args:
        path: any file that pyogrio reads.
        classes: the classes; those of the column if None. Text is matched by name, numbers by
            value.
        column: the class column; chosen if None (see
            :func:`sscl_geo.io.class_column.read_classes`).
        layer: name of the layer, for files that have several.

    Raises:
        LabelError: if the file cannot be read, has no coordinate reference system, no feature with
            a class, or a class outside ``classes``.
    """

    def __init__(
        self,
        path: str,
        classes: ClassTable | None = None,
        column: str | None = None,
        layer: str | None = None,
    ) -> None:
        self.path = path
        frame = _read(path, layer)
        found = read_classes(frame, path, classes, column)
        self.classes, self.is_named_only = found.classes, found.is_named_only
        has_shape = ~(frame.geometry.isna() | frame.geometry.is_empty).to_numpy()
        kept = found.has_class & has_shape
        if not kept.any():
            raise LabelError(
                f"{path} has no feature with both a geometry and a class in {found.column!r}; "
                "name another column, or fill it in."
            )
        if not kept.all():
            warnings.warn(
                f"{np.count_nonzero(~kept)} of {len(kept)} features of {path} have no geometry or "
                f"no class in {found.column!r} and were left out.",
                SkippedLabelWarning,
                stacklevel=2,
            )
        flat = shapely.force_2d(frame.geometry.to_numpy()[kept])
        order = np.argsort(-shapely.get_dimensions(flat), kind="stable")
        self._frame = gpd.GeoSeries(flat[order], crs=frame.crs)
        self._indices = found.indices[kept][order]
        self._drawings: dict[str, _Drawing] = {}
        self.crs = frame.crs.to_wkt()
        self.extent = shapely.box(*self._frame.total_bounds)

    def on_grid(self, geobox: GeoBox) -> NDArray[np.uint8]:
        """Class indices on a grid.

        A polygon labels the pixels whose centre it holds, a point the pixel that holds it, a line
        the pixels along it.

        Args:
            geobox: the grid; any orientation and coordinate reference system.

        Returns:
            uint8 of shape (height, width): class index, IGNORE_INDEX where there is no label.
        """
        drawing = self._in_crs(grid_wkt(geobox))
        hits = np.sort(drawing.tree.query(geobox.extent.geom))
        return rasterize(drawing.geometries[hits], self._indices[hits], geobox)

    def overlaps(self, geobox: GeoBox) -> bool:
        """True if the extents of labels and grid share ground."""
        return geobox.footprint(self.crs).geom.intersects(self.extent)

    def _in_crs(self, wkt: str) -> _Drawing:
        if wkt not in self._drawings:
            geometries = self._frame.to_crs(wkt).to_numpy()
            # A feature outside the domain of a projection gets infinite coordinates.
            broken = ~np.isfinite(shapely.bounds(geometries)).all(axis=1)
            geometries = np.where(broken, shapely.Point(), geometries)
            self._drawings[wkt] = _Drawing(geometries, shapely.STRtree(geometries))
        return self._drawings[wkt]


def _read(path: str, layer: str | None) -> gpd.GeoDataFrame:
    try:
        if path.lower().endswith((".parquet", ".geoparquet")):
            frame = gpd.read_parquet(path)
        else:
            frame = gpd.read_file(path, layer=_choose_layer(path, layer), engine="pyogrio")
    except (DataSourceError, OSError, ValueError) as error:
        raise LabelError(
            f"Cannot read {path} as a vector layer; give a file that ogrinfo can read ({error})."
        ) from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise LabelError(f"{path} holds a table without geometry; give points, lines or polygons.")
    if frame.crs is None:
        raise LabelError(
            f"{path} has no coordinate reference system; assign one, for example with "
            "'ogr2ogr -a_srs EPSG:32612 OUT FILE'."
        )
    return frame


def _choose_layer(path: str, layer: str | None) -> str:
    layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    if layer is None and len(layers) == 1:
        return layers[0]
    if layer not in layers:
        problem = "several layers" if layer is None else f"no layer {layer!r}"
        raise LabelError(f"{path} has {problem}; name one of {', '.join(layers) or 'none'}.")
    return layer
