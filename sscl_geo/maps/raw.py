"""A raster that grows row by row on the disk, readable by GDAL at any time."""

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.geometry.grid import grid_shape
from sscl_geo.maps.layers import Layer
from sscl_geo.maps.products.markup import child, write_xml

_GDAL_TYPES: Final = {
    "uint8": "Byte",
    "uint16": "UInt16",
    "float16": "Float16",
    "float32": "Float32",
}


class RawRaster:
    """Pixels of a layer in one file without any header, row after row, in each row band by band.

    Nothing in it has to be rewritten when rows are added, so what has reached the disk stays good
    when the process is killed; GDAL's own formats keep their directory of blocks in memory until
    they are closed. Not compressed: that is left to the final copy. GDAL reads it through the
    virtual raster that :meth:`describe` writes.

    Args:
        path: the file.
        layer: type and bands.
        shape: (height, width) in pixels.
    """

    def __init__(self, path: Path, layer: Layer, shape: tuple[int, int]) -> None:
        self.path, self.layer = path, layer
        self.height, self.width = shape
        self._dtype = np.dtype(layer.dtype)
        self._file: int | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.height, self.width

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of all bands."""
        return len(self.layer.bands) * self.width * self._dtype.itemsize

    def write(self, row: int, col: int, values: NDArray[np.generic]) -> None:
        """Write a window.

        Args:
            row: first row.
            col: first column.
            values: shape (bands, rows, columns).

        Raises:
            OSError: if the disk is full or the file cannot be written.
        """
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o666)
        lines = np.ascontiguousarray(values.transpose(1, 0, 2), dtype=self._dtype)
        start = row * self.row_bytes
        if lines.shape[2] == self.width:
            _write_all(self._file, lines, start)
            return
        for number, line in enumerate(lines.reshape(-1, lines.shape[2])):
            at = start + (number * self.width + col) * self._dtype.itemsize
            _write_all(self._file, line, at)

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        if self._file is not None:
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def read(self, begin: int, end: int) -> NDArray[Any]:
        """Read rows.

        Args:
            begin: first row.
            end: row after the last; both may lie outside, where there is nothing to read.

        Returns:
            array of shape (rows, bands, columns).
        """
        begin, end = max(begin, 0), min(end, self.height)
        shape = (end - begin, len(self.layer.bands), self.width)
        with self.path.open("rb") as file:
            file.seek(begin * self.row_bytes)
            return np.fromfile(file, self._dtype, math.prod(shape)).reshape(shape)

    def bands_of_rows(self, step: int = 512) -> Iterator[NDArray[Any]]:
        """Read everything, some rows at a time; see :meth:`read`."""
        for row in range(0, self.height, step):
            yield self.read(row, row + step)

    def describe(
        self,
        vrt: Path,
        geobox: GeoBox,
        tags: Mapping[str, str],
        attributes: Path | None = None,
        overviews: tuple[Path, ...] = (),
    ) -> Path:
        """Write a GDAL virtual raster that shows the file as a raster with all that is known of it.

        Args:
            vrt: file to write, in the folder of the raster or above.
            geobox: the grid.
            tags: text by name.
            attributes: file of :func:`~sscl_geo.maps.products.attributes.write_attributes` whose
                table is to be shown, or None.
            overviews: virtual rasters of the same area at half, a quarter … of the resolution.

        Returns:
            ``vrt``.
        """
        height, width = grid_shape(geobox)
        root = ET.Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
        if geobox.crs is not None:
            child(root, "SRS", geobox.crs.to_wkt())
        child(root, "GeoTransform", ", ".join(map(repr, geobox.affine.to_gdal())))
        metadata = child(root, "Metadata")
        for name, text in tags.items():
            child(metadata, "MDI", text, key=name)
        for number in range(len(self.layer.bands)):
            self._describe_band(root, vrt, number, overviews)
        if attributes is not None:
            table = ET.parse(attributes).find("PAMRasterBand/GDALRasterAttributeTable")  # noqa: S314 - we wrote it
            if table is not None:
                root.find("VRTRasterBand").append(table)  # ty: ignore[missing-union-attribute]
        write_xml(root, vrt)
        return vrt

    def _describe_band(
        self, root: ET.Element, vrt: Path, number: int, overviews: tuple[Path, ...]
    ) -> None:
        layer, size = self.layer, self._dtype.itemsize
        band = child(
            root,
            "VRTRasterBand",
            dataType=_GDAL_TYPES[layer.dtype],
            band=number + 1,
            subClass="VRTRawRasterBand",
        )
        child(band, "Description", layer.bands[number])
        if layer.unit:
            child(band, "UnitType", layer.unit)
        child(band, "NoDataValue", layer.nodata)
        if layer.scale != 1:
            child(band, "Offset", 0.0)
            child(band, "Scale", layer.scale)
        if layer.colors:
            child(band, "ColorInterp", "Palette")
            _color_table(band, dict(layer.colors))
        for overview in overviews:
            element = child(band, "Overview")
            child(element, "SourceFilename", overview, relativeToVRT=0)
            child(element, "SourceBand", number + 1)
        child(band, "SourceFilename", self.path.relative_to(vrt.parent), relativeToVRT=1)
        child(band, "ImageOffset", number * self.width * size)
        child(band, "PixelOffset", size)
        child(band, "LineOffset", self.row_bytes)
        child(band, "ByteOrder", "LSB")


def _color_table(band: ET.Element, colors: Mapping[int, tuple[int, int, int, int]]) -> None:
    """Write colours up to the highest value that has one: a TIFF fills up the rest itself."""
    table = child(band, "ColorTable")
    for value in range(max(colors) + 1):
        red, green, blue, alpha = colors.get(value, (0, 0, 0, 255))
        child(table, "Entry", c1=red, c2=green, c3=blue, c4=alpha)


def _write_all(file: int, values: NDArray[np.generic], at: int) -> None:
    """Write all bytes: a disk that is nearly full takes a part and complains only at the next."""
    data = memoryview(values).cast("B")
    while data:
        written = os.pwrite(file, data, at)
        data, at = data[written:], at + written
