"""Ground areas of pixels on any grid: what a class covers in hectares."""

from contextlib import suppress

import numpy as np
import torch
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from sscl_geo.geometry.affine import matrix_from_affine, transform_points

CELL = 256
"""Side, in pixels, of the cells of the scene over which the area of a pixel is held constant."""


class GroundArea:
    """Area on the ellipsoid that pixels cover, whatever the coordinate reference system.

    Map units mislead: a pixel of Web Mercator at 60 degrees of latitude is four times as large on
    the map as on the ground, and square degrees are no area at all. The area of a small
    parallelogram is its area in longitude and latitude times ``M N cos(latitude)``, with the radii
    of curvature in the meridian M and in the prime vertical N (Snyder 1987, Map Projections,
    USGS Professional Paper 1395, equations 4-18 to 4-20).

    Args:
        geobox: the pixel grid.
    """

    def __init__(self, geobox: GeoBox) -> None:
        crs = CRS.from_user_input(geobox.crs)
        self._ellipsoid = crs.ellipsoid
        self._matrix = matrix_from_affine(geobox.affine)
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
            cols: column coordinates, where 0 is the left edge of the first column.

        Returns:
            float64 of the shape of ``rows``; not finite outside the domain of the projection, and
            everywhere if the area is not known.
        """
        if self._to_degrees is None or self._ellipsoid is None:
            return np.full(np.shape(rows), np.nan)
        to_degrees = self._to_degrees
        lon_x, lat_x = self._across(to_degrees, rows, cols, (0, 0.5))
        lon_y, lat_y = self._across(to_degrees, rows, cols, (0.5, 0))
        square_radians = np.radians(1) ** 2 * np.abs(lon_x * lat_y - lon_y * lat_x)
        _, lat = self._degrees(to_degrees, rows, cols)
        a, b = self._ellipsoid.semi_major_metre, self._ellipsoid.semi_minor_metre
        e2 = 1 - (b / a) ** 2
        sine = np.sin(np.radians(lat))
        radii = a * a * (1 - e2) / (1 - e2 * sine**2) ** 2
        return square_radians * radii * np.sqrt(1 - sine**2) / 10_000

    def _degrees(
        self, to_degrees: Transformer, rows: NDArray[np.float64], cols: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points = transform_points(self._matrix, np.stack([cols, rows], axis=-1))
        return to_degrees.transform(points[..., 0], points[..., 1])

    def _across(
        self,
        to_degrees: Transformer,
        rows: NDArray[np.float64],
        cols: NDArray[np.float64],
        half: tuple[float, float],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Change of longitude and latitude across one pixel, in degrees."""
        lon_a, lat_a = self._degrees(to_degrees, rows - half[0], cols - half[1])
        lon_b, lat_b = self._degrees(to_degrees, rows + half[0], cols + half[1])
        return (lon_b - lon_a + 180) % 360 - 180, lat_b - lat_a


class ClassAreas:
    """Counts pixels and hectares of each class while a map goes by row by row.

    Args:
        geobox: the pixel grid.
        values: how many pixel values there are; they are 0 to ``values - 1``.

    Attributes:
        pixels: number of pixels of each value, int64.
        hectares: ground area of each value, float64; NaN if not known.
    """

    def __init__(self, geobox: GeoBox, values: int = 256) -> None:
        self._ground = GroundArea(geobox)
        self._row = 0
        self.pixels = np.zeros(values, dtype=np.int64)
        self.hectares = np.full(values, 0.0 if self._ground.is_known else np.nan)

    def add(self, classes: NDArray[np.unsignedinteger]) -> None:
        """Count the pixels of the next rows.

        Args:
            classes: uint8 or uint16 of shape (rows, width).
        """
        height, width = classes.shape
        lefts = np.arange(0, width, CELL)
        rights = np.minimum(lefts + CELL, width)
        middle_rows = np.full(len(lefts), self._row + height / 2)
        hectares = self._ground.pixel_hectares(middle_rows, (lefts + rights) / 2)
        for left, right, area in zip(lefts, rights, hectares, strict=True):
            counts = _counts(classes[:, left:right].flatten(), len(self.pixels))
            self.pixels += counts
            if np.isfinite(area):
                self.hectares += counts * area
        self._row += height


def _counts(classes: NDArray[np.unsignedinteger], values: int) -> NDArray[np.int64]:
    """How often each value occurs; PyTorch counts bytes four times as fast as NumPy."""
    if classes.dtype != np.uint8:
        return np.bincount(classes, minlength=values)
    return torch.bincount(torch.from_numpy(classes), minlength=values).numpy()
