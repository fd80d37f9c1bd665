"""The part of the ground that may be looked at."""

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.errors import LabelError
from sscl_geo.geometry.grid import grid_wkt
from sscl_geo.io.rasterize import rasterize


class Region:
    """One part of a set of blocks, on whatever grid it is asked for.

    The blocks are reprojected once for each coordinate reference system.

    Args:
        blocks: polygons with a column ``part``.
        part: name of the part.

    Raises:
        LabelError: if no block belongs to the part.
    """

    def __init__(self, blocks: gpd.GeoDataFrame, part: str) -> None:
        self.part = part
        self._blocks = blocks.reset_index(drop=True)
        self._chosen = (self._blocks["part"] == part).to_numpy(dtype=np.uint8)
        self._local: dict[str, gpd.GeoDataFrame] = {}
        if not self._chosen.any():
            parts = ", ".join(map(str, self._blocks["part"].unique())) or "none"
            raise LabelError(f"No block belongs to the part {part!r}; there is {parts}.")

    def mask(self, geobox: GeoBox) -> NDArray[np.bool_]:
        """Pixels whose centre lies in the region.

        Where polygons overlap, the later one has the pixel, so that no pixel is in two parts.

        Args:
            geobox: the grid; any orientation and coordinate reference system.

        Returns:
            bool of shape (height, width).
        """
        wkt = grid_wkt(geobox)
        if wkt not in self._local:
            self._local[wkt] = self._blocks.to_crs(wkt)
        local = self._local[wkt]
        hits = np.sort(local.sindex.query(geobox.extent.geom))
        drawn = rasterize(local.geometry.to_numpy()[hits], self._chosen[hits], geobox)
        return drawn == 1
