"""Where in a scene a map is wanted."""

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from sscl_geo.errors import ConfigError
from sscl_geo.geometry.affine import matrix_from_affine, transform_points
from sscl_geo.io.area import Area, AreaOfInterest
from sscl_geo.io.rasterize import rasterize
from sscl_geo.io.scene import Scene
from sscl_geo.maps.tiles import Columns, TilePlan


class Interest:
    """An area of interest on the grid of a scene, and the tiles that touch it.

    Args:
        aoi: a vector file or polygons, in any coordinate reference system.
        scene: the scene.
        plan: the tiles.

    Raises:
        ConfigError: if the area cannot be read or shares no ground with the scene.
    """

    def __init__(self, aoi: AreaOfInterest, scene: Scene, plan: TilePlan) -> None:
        self._geobox, self._plan = scene.geobox, plan
        crs = CRS.from_user_input(scene.crs)
        ground = scene.geobox.extent.geom
        shared = shapely.intersection(Area(aoi, crs).to_crs(crs, ground), ground)
        # Where the area only touches the scene they share a line, which would take pixels too.
        parts = shapely.get_parts(shared)
        self._area = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
        if shapely.area(self._area) == 0:
            raise ConfigError(
                f"The area of interest shares no ground with {scene.path}; choose another area."
            )
        shapely.prepare(self._area)
        self._touched = shapely.intersects(self._area, self._cores())

    @property
    def wkb(self) -> bytes:
        """The area within the scene, as well-known binary, in the scene's reference system."""
        return shapely.to_wkb(self._area)

    def mask(self, rows: tuple[int, int], cols: tuple[int, int]) -> NDArray[np.bool_]:
        """Pixels of a window whose centre lies in the area.

        Args:
            rows: first row of the scene and row after the last.
            cols: first column of the scene and column after the last.

        Returns:
            bool of shape (rows, cols).
        """
        window = self._geobox[slice(*rows), slice(*cols)]
        area = np.array([self._area], dtype=object)
        return rasterize(area, np.zeros(1, np.uint8), window) == 0

    def columns_seen(self, columns: Columns, top: int, bottom: int) -> tuple[int, int]:
        """Pixel columns, from and up to, that the tiles of the area see in some rows of the scene.

        Args:
            columns: the part of the scene that is asked about.
            top: first row.
            bottom: row after the last.
        """
        axis = self._plan.rows
        rows = [axis.reflected(i, i) for i in range(len(axis))]
        sees = [bool(r.min() < bottom and r.max() >= top) for r in rows]
        touched = self._touched[sees].any(axis=0)[columns.first : columns.stop]
        if not touched.any():
            return (0, 0)
        tiles = columns.first + np.flatnonzero(touched)
        pixels = self._plan.cols.reflected(int(tiles[0]), int(tiles[-1]))
        return int(pixels.min()), int(pixels.max()) + 1

    def _cores(self) -> NDArray[np.object_]:
        """The ground that each tile adds to, as polygons of shape (tile rows, tile columns)."""
        rows, cols = (
            np.array([axis.span(i) for i in range(len(axis))], np.float64)
            for axis in (self._plan.rows, self._plan.cols)
        )
        corners = np.empty((len(rows), len(cols), 4, 2))
        corners[..., 0] = cols[None, :, [0, 1, 1, 0]]
        corners[..., 1] = rows[:, None, [0, 0, 1, 1]]
        return shapely.polygons(transform_points(matrix_from_affine(self._geobox.affine), corners))
