"""Joining rasters to one virtual raster, in memory."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from math import ceil, floor

import numpy as np
from affine import Affine

from sscl_geo.errors import SceneError
from sscl_geo.geometry.affine import matrix_from_affine, view_to_view
from sscl_geo.io.remote import gdal_path
from sscl_geo.io.scene import Scene

_GDAL_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "uint64": "UInt64",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
}
_TOLERANCE = 1e-3
"""Pixels by which parts may fall short of the common grid: how well files keep a transform."""


def stack_bands(parts: Sequence[Scene], names: Sequence[str]) -> str:
    """Describe rasters of one place as one raster with the bands of all.

    The grid is that of the part with the smallest pixels, cut to what all parts cover. Bands of
    coarser parts are interpolated bilinearly, among pixels with data, so that an area without data
    shrinks by up to half a coarse pixel; bands on the same grid are copied.

    Args:
        parts: the rasters, without rotation or flip against each other.
        names: a name for each band of all parts.

    Returns:
        a GDAL virtual raster (VRT) as XML, which rasterio opens like a path.

    Raises:
        SceneError: if the parts differ in coordinate reference system or orientation, share no
            ground, or one has a mask band or an alpha band, which a VRT cannot keep for each part.
    """
    finest = min(parts, key=lambda part: part.pixel_size[0] * part.pixel_size[1])
    boxes = [_box_on(part, finest) for part in parts]
    left = ceil(max(box[0] for box in boxes) - _TOLERANCE)
    top = ceil(max(box[1] for box in boxes) - _TOLERANCE)
    right = floor(min(box[0] + box[2] for box in boxes) + _TOLERANCE)
    bottom = floor(min(box[1] + box[3] for box in boxes) + _TOLERANCE)
    if left >= right or top >= bottom:
        raise SceneError(
            f"{parts[0].path} and the files to be joined with it share no ground; choose others."
        )
    transform = finest.geobox.affine @ Affine.translation(left, top)
    root = ET.Element("VRTDataset", rasterXSize=str(right - left), rasterYSize=str(bottom - top))
    ET.SubElement(root, "SRS").text = finest.crs.wkt
    ET.SubElement(root, "GeoTransform").text = ", ".join(map(repr, transform.to_gdal()))
    dtype = np.result_type(*(part.dtype for part in parts)).name
    named = iter(names)
    for part, (x, y, width, height) in zip(parts, boxes, strict=True):
        placed = (x - left, y - top, width, height)
        tags = zip(part.indexes, part.nodata, part.scale, part.offset, strict=True)
        for index, nodata, scale, offset in tags:
            band = ET.SubElement(
                root,
                "VRTRasterBand",
                dataType=_GDAL_TYPES[dtype],
                band=str(len(root.findall("VRTRasterBand")) + 1),
                blockXSize=str(min(finest.block_shape[1], right - left)),
                blockYSize=str(min(finest.block_shape[0], bottom - top)),
            )
            ET.SubElement(band, "Description").text = next(named)
            if nodata is not None:
                ET.SubElement(band, "NoDataValue").text = repr(nodata)
            if (scale, offset) != (1, 0):
                ET.SubElement(band, "Offset").text = repr(offset)
                ET.SubElement(band, "Scale").text = repr(scale)
            _add_source(band, part, index, nodata, placed)
    return ET.tostring(root, encoding="unicode")


def _box_on(part: Scene, grid: Scene) -> tuple[float, float, float, float]:
    """Column, row, width and height of a part in pixels of a grid."""
    if part.crs != grid.crs:
        raise SceneError(
            f"{part.path} has another coordinate reference system than {grid.path}; files of one "
            "scene must share one: warp it first, for example with gdalwarp."
        )
    if part.has_mask or part.alpha is not None:
        raise SceneError(
            f"{part.path} marks missing data by a mask or an alpha band, which cannot be joined "
            "with other files; read it alone, or give it a nodata value."
        )
    (a, b, c), (d, e, f) = view_to_view(
        matrix_from_affine(part.geobox.affine), matrix_from_affine(grid.geobox.affine)
    ).tolist()
    height, width = part.shape
    if abs(b) * height > _TOLERANCE or abs(d) * width > _TOLERANCE or a <= 0 or e <= 0:
        raise SceneError(
            f"{part.path} is rotated or flipped against {grid.path}; warp one onto the other first."
        )
    return c, f, a * width, e * height


def _add_source(
    band: ET.Element,
    part: Scene,
    index: int,
    nodata: float | None,
    placed: tuple[float, float, float, float],
) -> None:
    height, width = part.shape
    same_grid = np.allclose(placed, np.round(placed), rtol=0, atol=_TOLERANCE) and np.allclose(
        placed[2:], (width, height), rtol=0, atol=_TOLERANCE
    )
    # Only a ComplexSource leaves pixels without data out of the interpolation.
    source = ET.SubElement(band, "SimpleSource" if same_grid else "ComplexSource")
    if same_grid:
        placed = (round(placed[0]), round(placed[1]), width, height)
    else:
        source.set("resampling", "bilinear")
    ET.SubElement(source, "SourceFilename", relativeToVRT="0").text = gdal_path(part.path)
    ET.SubElement(source, "SourceBand").text = str(index)
    for name, box in (("SrcRect", (0, 0, width, height)), ("DstRect", placed)):
        values = zip(("xOff", "yOff", "xSize", "ySize"), map(repr, box), strict=True)
        ET.SubElement(source, name, dict(values))
    if nodata is not None and not same_grid:
        ET.SubElement(source, "NODATA").text = repr(nodata)
