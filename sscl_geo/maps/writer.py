"""Writing a raster row by row, in whole rows of blocks."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.maps.cog import BLOCK


@dataclass(frozen=True)
class BandStyle:
    """What a GIS shall know of the one band of a raster.

    Attributes:
        nodata: value of pixels without data.
        description: name of the band.
        unit: unit of its values, or ``""``.
        colors: red, green, blue, alpha of each value, for a raster of classes.
        tags: text by name, kept in the file.
    """

    nodata: int
    description: str
    unit: str = ""
    colors: Mapping[int, tuple[int, int, int, int]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


class RowWriter:
    """Writes a one-band uint8 raster from top to bottom into a tiled GeoTIFF.

    Rows are collected until they fill a row of blocks: blocks that are written in parts are
    compressed again and again, which took three times as long and twice the space. For one thread
    at a time. To be used in a ``with`` block.

    Args:
        path: file to write; not a COG yet, see :func:`write_cog`.
        geobox: the grid: shape (height, width), transform and coordinate reference system.
        style: nodata value, names, colours and tags.

    Attributes:
        crc32: checksum of the rows written so far, for :func:`~sscl_geo.maps.cog.write_cog`.
    """

    def __init__(self, path: Path, geobox: GeoBox, style: BandStyle) -> None:
        self.path, self.geobox, self.style = path, geobox, style
        self.height, self.width = int(geobox.shape[0]), int(geobox.shape[1])
        self._block = min(BLOCK, 16 * -(-max(self.height, self.width) // 16))
        self._pending = np.empty((self._block, self.width), dtype=np.uint8)
        self._filled = 0
        self._written = 0
        self.crc32 = 0

    def __enter__(self) -> Self:
        self._target = rasterio.open(
            self.path,
            "w",
            driver="GTiff",
            dtype="uint8",
            count=1,
            height=self.height,
            width=self.width,
            crs=self.geobox.crs.to_wkt() if self.geobox.crs else None,
            transform=self.geobox.affine,
            nodata=self.style.nodata,
            tiled=True,
            blockxsize=self._block,
            blockysize=self._block,
            compress="deflate",
            zlevel=1,
            bigtiff="if_safer",
        )
        if self.style.colors:
            self._target.write_colormap(1, dict(self.style.colors))
        self._target.set_band_description(1, self.style.description)
        self._target.set_band_unit(1, self.style.unit)
        self._target.update_tags(**self.style.tags)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._flush()
        finally:
            self._target.close()

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Append rows.

        Args:
            rows: uint8 of shape (any number, width).

        Raises:
            RasterioIOError: if a row of blocks cannot be written.
        """
        while len(rows):
            taken = min(len(rows), self._block - self._filled)
            self._pending[self._filled : self._filled + taken] = rows[:taken]
            self._filled += taken
            rows = rows[taken:]
            if self._filled == self._block:
                self._flush()

    def _flush(self) -> None:
        if self._filled:
            block_row = self._pending[: self._filled]
            window = ((self._written, self._written + self._filled), (0, self.width))
            self._target.write(block_row, 1, window=window)
            self.crc32 = zlib.crc32(block_row, self.crc32)
            self._written += self._filled
            self._filled = 0
