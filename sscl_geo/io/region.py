"""The part of the ground that may be looked at."""

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.errors import LabelError
from sscl_geo.io.drawing import Drawing
from sscl_geo.io.rasterize import rasterize


class Region:
    """One part of a set of blocks, on whatever grid it is asked for.

    The blocks are reprojected once for each coordinate reference system.

    Args:
        blocks: polygons with a column ``part``.
        part: name of the part.
        inside: ground that the part is cut to; no other if None.

    Raises:
        LabelError: if no block belongs to the part.
    """

    def __init__(self, blocks: gpd.GeoDataFrame, part: str, inside: "Region | None" = None) -> None:
        self.part = part
        self._inside = inside
        self._drawing = Drawing(blocks.geometry)
        self._chosen = (blocks["part"] == part).to_numpy(dtype=np.uint8)
        if not self._chosen.any():
            parts = ", ".join(map(str, blocks["part"].unique())) or "none"
            raise LabelError(f"No block belongs to the part {part!r}; there is {parts}.")

    def mask(self, geobox: GeoBox) -> NDArray[np.bool_]:
        """Pixels whose centre lies in the region.

        Where polygons overlap, the later one has the pixel, so that no pixel is in two parts.

        Args:
            geobox: the grid; any orientation and coordinate reference system.

        Returns:
            bool of shape (height, width).
        """
        hits, geometries = self._drawing.near(geobox)
        mask = rasterize(geometries, self._chosen[hits], geobox) == 1
        return mask if self._inside is None else mask & self._inside.mask(geobox)
