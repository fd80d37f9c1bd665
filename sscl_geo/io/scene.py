"""What is known of a scene before a pixel of it is read."""

import os
import warnings
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from sscl_geo.errors import SceneError
from sscl_geo.io.dates import DatePattern, date_in_name, parse_utc


@dataclass(frozen=True)
class Scene:
    """One georeferenced raster: its grid, its bands, and how it marks pixels without data.

    Attributes:
        path: file name, URL or any name that GDAL opens.
        geobox: the pixel grid: shape (rows, columns), transform and coordinate reference system.
        bands: names of the image bands, an alpha band left out; ``band_1`` and so on where the
            file names none.
        indexes: band numbers in the file (from 1) of ``bands``.
        nodata: nodata value of each of ``bands``, None where there is none.
        dtype: numpy name of the pixel type that holds every band.
        block_shape: (rows, columns) of the file's blocks, the unit of decoding.
        alpha: band number of the alpha band, or None.
        has_mask: True if the file carries a mask band or a ``.msk`` file.
        date: when it was taken, in UTC; midnight if only the day is known; None if unknown.
    """

    path: str
    geobox: GeoBox
    bands: tuple[str, ...]
    indexes: tuple[int, ...]
    nodata: tuple[float | None, ...]
    dtype: str
    block_shape: tuple[int, int]
    alpha: int | None
    has_mask: bool
    date: datetime | None = None

    @property
    def crs(self) -> CRS:
        """Coordinate reference system of the grid."""
        if self.geobox.crs is None:
            raise SceneError(f"{self.path} has no coordinate reference system; assign one.")
        return self.geobox.crs

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return int(self.geobox.shape[0]), int(self.geobox.shape[1])

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Lengths of a pixel along its row and along its column, in units of the CRS.

        True lengths of the pixel's sides, also on rotated and south-up grids.
        """
        a, b, _, d, e, _ = self.geobox.affine[:6]
        return (a * a + d * d) ** 0.5, (b * b + e * e) ** 0.5

    @property
    def name(self) -> str:
        """File name without folder and suffix."""
        return Path(self.path).stem


def open_scene(path: str | os.PathLike[str], *, date_pattern: DatePattern | None = None) -> Scene:
    """Read the header of a raster.

    Its date is that of its name or, where the name holds none in a usual form, the acquisition
    date that GDAL reads from the metadata of satellite products.

    Args:
        path: file name, URL or any name that GDAL opens.
        date_pattern: where the path holds the date instead, and how it is written.

    Returns:
        the scene; no file stays open.

    Raises:
        SceneError: if the file is missing, not a raster, empty, complex-valued, or has no
            coordinate reference system or no usable transform.
    """
    path = os.fspath(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as source:
                scene = _describe(path, source)
                date = _date(path, source, date_pattern)
                return replace(scene, date=date)
    except RasterioIOError as error:
        if not Path(path).exists() and "://" not in path and not path.startswith("/vsi"):
            raise SceneError(f"There is no file {path}; check the path of the scene.") from error
        raise SceneError(
            f"Cannot open {path} as a raster; give a file that gdalinfo can read ({error})."
        ) from error


def _describe(path: str, source: rasterio.DatasetReader) -> Scene:
    if source.count == 0:
        raise SceneError(
            f"{path} holds no bands of its own; name one of its subdatasets as gdalinfo lists them."
        )
    if source.crs is None:
        raise SceneError(
            f"{path} has no coordinate reference system; assign one, for example with "
            "'gdal_edit.py -a_srs EPSG:32612 FILE'."
        )
    transform = source.transform
    if transform.is_identity or abs(transform.determinant) == 0:
        raise SceneError(
            f"{path} has no usable transform (it has no georeferencing, or only ground control "
            "points); warp it first, for example with 'gdalwarp FILE OUT'."
        )
    alpha = next(
        (
            i
            for i, c in zip(source.indexes, source.colorinterp, strict=True)
            if c == ColorInterp.alpha
        ),
        None,
    )
    indexes = tuple(i for i in source.indexes if i != alpha)
    dtypes = [source.dtypes[i - 1] for i in indexes]
    if any("complex" in d or d.startswith("c") for d in dtypes):
        raise SceneError(
            f"{path} holds complex numbers; write amplitude and phase as separate bands first."
        )
    flags = source.mask_flag_enums[indexes[0] - 1]
    return Scene(
        path=path,
        geobox=GeoBox(source.shape, transform, source.crs),
        bands=tuple(source.descriptions[i - 1] or f"band_{i}" for i in indexes),
        indexes=indexes,
        nodata=tuple(source.nodatavals[i - 1] for i in indexes),
        dtype=np.result_type(*dtypes).name,
        block_shape=source.block_shapes[0],
        alpha=alpha,
        has_mask=MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags,
    )


def _date(
    path: str, source: rasterio.DatasetReader, pattern: DatePattern | None
) -> datetime | None:
    if pattern is not None:
        return pattern.find(path)
    # GDAL's common metadata of satellite products; always UTC.
    acquired = source.tags(ns="IMAGERY").get("ACQUISITIONDATETIME", "")
    return date_in_name(path) or parse_utc(acquired, "%Y-%m-%d %H:%M:%S")
