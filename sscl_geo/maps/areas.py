"""Ground areas of pixels and polygons on any grid."""

from contextlib import suppress
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from sscl_geo.geometry.affine import matrix_from_affine, transform_points
from sscl_geo.geometry.grid import grid_shape

_BEND: Final = 3e-4
"""How far, relatively, the area of a pixel may be from linear across a polygon's box.

The linear part has no effect: the pixel at the centroid has the mean area.
"""


class GroundArea:
    """Area on the ellipsoid that pixels cover, whatever the coordinate reference system.

    Map units mislead: a pixel of Web Mercator at 60 degrees of latitude is four times as large on
    the map as on the ground, and square degrees are no area at all. The area of a small
    parallelogram is the length of the cross product of its sides in geocentric coordinates, which
    know neither poles nor an antimeridian (their formulas: EPSG guidance note 7-2, method 9602).
    Pixels of a degree come out a 40,000th too small, as chords are shorter than arcs.

    Args:
        geobox: the pixel grid.
    """

    def __init__(self, geobox: GeoBox) -> None:
        crs = CRS.from_user_input(geobox.crs)
        self._ellipsoid = crs.ellipsoid
        self._matrix = matrix_from_affine(geobox.affine)
        self._shape = grid_shape(geobox)
        self._to_degrees = None
        if crs.geodetic_crs is not None:
            with suppress(ProjError):  # an engineering grid, nowhere on the globe
                self._to_degrees = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)

    @property
    def is_known(self) -> bool:
        """False on local engineering grids, which have no place on the globe."""
        return self._to_degrees is not None

    def pixel_hectares(
        self, rows: NDArray[np.float64], cols: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Area of the pixel around each point, in hectares.

        Args:
            rows: row coordinates, where 0 is the upper edge of the first row.
            cols: column coordinates, where 0 is the left edge of the first column; of a shape that
                goes with that of ``rows``.

        Returns:
            float64 of their common shape; not finite outside the domain of the projection, and
            everywhere if the area is not known.
        """
        rows, cols = np.broadcast_arrays(rows, cols)
        sides = [(0, -0.5), (0, 0.5), (-0.5, 0), (0.5, 0)]
        with np.errstate(invalid="ignore"):  # infinite where there is no ground
            left, right, top, bottom = self._geocentric(
                np.stack([rows + r for r, _ in sides]), np.stack([cols + c for _, c in sides])
            )
            return np.linalg.norm(np.cross(right - left, bottom - top), axis=-1) / 10_000

    def polygon_hectares(self, polygons: NDArray[np.object_]) -> NDArray[np.float64]:
        """Ground area of polygons, in hectares.

        Args:
            polygons: in pixel coordinates (column, row).

        Returns:
            float64 of shape (polygons,).
        """
        hectares, of = np.zeros(len(polygons)), np.arange(len(polygons))
        reach = self._reach()
        while len(polygons):
            parts, uneven = self._halves(polygons, reach)
            even = polygons[~uneven]
            cols, rows = shapely.get_coordinates(shapely.centroid(even)).T
            np.add.at(hectares, of[~uneven], shapely.area(even) * self.pixel_hectares(rows, cols))
            polygons, of = parts, np.repeat(of[uneven], 2)
        return hectares

    def _halves(
        self, polygons: NDArray[np.object_], reach: float
    ) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
        """Halves of polygons across whose boxes the area of a pixel is not linear, and of which."""
        boxes = shapely.bounds(polygons)
        uneven = np.maximum(*(boxes[:, 2:] - boxes[:, :2]).T) > max(1.0, reach)
        left, top, right, bottom = boxes[uneven].T[..., None, None]
        side = np.linspace(0, 1, 3)
        area = self.pixel_hectares(
            top + (bottom - top) * side[:, None], left + (right - left) * side
        )
        by_rows, by_cols = (
            np.abs(np.diff(area, 2, axis=axis)).max(axis=(1, 2), initial=0) for axis in (1, 2)
        )
        with np.errstate(invalid="ignore"):  # where there is no ground, to cut does not help
            bent = np.maximum(by_rows, by_cols) > _BEND * area.mean(axis=(1, 2))
        uneven[uneven] = bent
        x0, y0, x1, y1 = boxes[uneven].T
        across = by_rows[bent] > by_cols[bent]
        x, y = np.where(across, x1, (x0 + x1) / 2), np.where(across, (y0 + y1) / 2, y1)
        first, second = (
            shapely.box(x0, y0, x, y),
            shapely.box(*np.where(across, (x0, y), (x, y0)), x1, y1),
        )
        halves = shapely.intersection(polygons[uneven, None], np.stack([first, second], axis=1))
        return halves.ravel(), uneven

    def _reach(self) -> float:
        """Pixels across which the area of one is all but linear, wherever on the grid."""
        height, width = self._shape
        side = np.linspace(0, 1, 33)
        area = self.pixel_hectares(side[:, None] * height, side * width)
        most = 0.0
        for axis, pixels in enumerate(self._shape):
            with np.errstate(invalid="ignore"):  # infinite where there is no ground
                bend = np.abs(np.diff(area, 2, axis=axis)) / area.take(range(1, 32), axis)
            most = max(most, bend[np.isfinite(bend)].max(initial=0) * (32 / pixels) ** 2)
        return 2 * np.sqrt(_BEND / most) if most > 0 else np.inf

    def _geocentric(
        self, rows: NDArray[np.float64], cols: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(X, Y, Z) in metres, of shape (..., 3)."""
        if self._to_degrees is None or self._ellipsoid is None:
            return np.full((*rows.shape, 3), np.nan)
        xy = transform_points(self._matrix, np.stack([cols, rows], axis=-1))
        lon, lat = np.radians(self._to_degrees.transform(xy[..., 0], xy[..., 1]))
        a, b = self._ellipsoid.semi_major_metre, self._ellipsoid.semi_minor_metre
        cosine, sine = np.cos(lat), np.sin(lat)
        n = a * a / np.hypot(a * cosine, b * sine)  # radius of curvature in the prime vertical
        z = n * (b / a) ** 2 * sine
        return np.stack([n * cosine * np.cos(lon), n * cosine * np.sin(lon), z], axis=-1)
