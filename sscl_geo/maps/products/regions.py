"""Connected regions of a class map."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes

from sscl_geo.classes import NODATA, nodata_of
from sscl_geo.geometry.outlines import sums_inside

Polygons = NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Regions:
    """Some regions of a class map, or pieces of them.

    Attributes:
        polygons: outlines in pixel coordinates (column, row), outer rings counter-clockwise.
        class_values: their classes.
        total: sum of their pixels' confidence, in percent.
        pixels: number of their pixels that have a confidence.
    """

    polygons: Polygons
    class_values: NDArray[np.int32]
    total: NDArray[np.int64]
    pixels: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of regions."""
        return len(self.class_values)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Mean confidence in percent; NaN where none is known."""
        unknown = np.full(len(self), np.nan)
        return np.divide(self.total, self.pixels, out=unknown, where=self.pixels > 0)

    def where(self, chosen: NDArray[np.bool_] | slice) -> Self:
        """Some of them."""
        return type(self)(
            self.polygons[chosen],
            self.class_values[chosen],
            self.total[chosen],
            self.pixels[chosen],
        )

    @classmethod
    def together(cls, parts: Sequence["Regions"]) -> Self:
        """Several collections in one."""
        return cls(
            np.concatenate([part.polygons for part in parts]),
            np.concatenate([part.class_values for part in parts]),
            np.concatenate([part.total for part in parts]),
            np.concatenate([part.pixels for part in parts]),
        )


def trace_regions(
    values: NDArray[np.unsignedinteger],
    top: int = 0,
    percent: NDArray[np.uint8] | None = None,
    *,
    keep_nodata: bool = False,
) -> Regions:
    """Trace the regions of some rows of a class map.

    Pixels that touch at a corner only belong to different regions, so every polygon is valid.

    Args:
        values: uint8 or uint16 of shape (rows, columns); the highest value of their type where
            there is no data.
        top: row of the map at which they begin.
        percent: confidence of the pixels, or None.
        keep_nodata: whether to trace what has no data as if it were a class.
    """
    mask = None if keep_nodata else values != nodata_of(values.dtype)
    xy: list[tuple[float, float]] = []
    sizes: list[int] = []
    owners: list[int] = []
    classes: list[int] = []
    place = Affine.translation(0, top)
    for geometry, value in shapes(values, mask, connectivity=4, transform=place):
        for ring in geometry["coordinates"]:
            xy += ring
            sizes.append(len(ring))
            owners.append(len(classes))
        classes.append(int(value))
    corners = np.array(xy, np.float64).reshape(-1, 2)
    rings = shapely.linearrings(corners, indices=np.repeat(np.arange(len(sizes)), sizes))
    polygons = shapely.orient_polygons(shapely.polygons(rings, indices=owners))
    total = pixels = np.zeros(len(classes), np.int64)
    if percent is not None:
        known = percent != NODATA
        total = sums_inside(polygons, np.where(known, percent, 0), top)
        pixels = sums_inside(polygons, known, top)
    return Regions(polygons, np.array(classes, np.int32), total, pixels)
