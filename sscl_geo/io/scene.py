"""What is known of a scene before a pixel of it is read."""

import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import numpy as np
import rasterio
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from sscl_geo.errors import SceneError
from sscl_geo.io.cloud_mask import CloudMask, CloudMaskBand
from sscl_geo.io.dates import DatePattern, date_in_name, parse_utc
from sscl_geo.io.remote import is_remote, opening_env, without_query
from sscl_geo.io.soundness import is_truncated, usable_crs


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
        clouds: where its cloud mask lies, or None.
        vrt: a GDAL virtual raster as XML that stands for files which together make the scene; None
            if ``path`` is itself what GDAL opens.
        scale: scale tag of each of ``bands``, 1 where there is none; see
            :class:`~sscl_geo.io.units.BandUnits`. Pixels are read without it.
        offset: offset tag of each of ``bands``, 0 where there is none.
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
    clouds: CloudMaskBand | None = None
    vrt: str | None = None
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()

    has_identity: ClassVar[bool] = True
    """False if scenes that are described alike may have different pixels."""

    @property
    def source(self) -> str:
        """What GDAL opens to read the pixels."""
        return self.path if self.vrt is None else self.vrt

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
        return Path(without_query(self.path)).stem


def open_scene(
    path: str | os.PathLike[str],
    *,
    date_pattern: DatePattern | None = None,
    clouds: CloudMask | None = None,
    vrt: str | None = None,
) -> Scene:
    """Read the header of a raster.

    Its date is that of its name or, where the name holds none in a usual form, the acquisition
    date that GDAL reads from the metadata of satellite products.

    Args:
        path: file name, URL (``https://...``, ``s3://...``), or any name that GDAL opens: paths of
            virtual file systems, virtual rasters, subdatasets.
        date_pattern: where the path holds the date instead, and how it is written.
        clouds: which pixels are cloudy, and where that is written.
        vrt: a virtual raster as XML to open in place of ``path``, which then only names the scene.

    Returns:
        the scene; no file stays open.

    Raises:
        SceneError: if the file is missing, not a raster, empty, truncated, complex-valued, has no
            usable coordinate reference system or transform, or has no cloud mask where one was
            asked for.

    Example:
        >>> from sscl_geo.io.scene import open_scene
        >>> scene = open_scene(scene_path)
        >>> scene.bands, scene.shape, scene.pixel_size
        (('band_1', 'band_2', 'band_3'), (96, 128), (30.0, 30.0))
    """
    path = os.fspath(path)
    with _opened(path, vrt) as source:
        scene = _describe(path, source)
        return replace(
            scene,
            date=_date(path, source, date_pattern),
            vrt=vrt,
            **({} if clouds is None else _with_clouds(scene, source, clouds)),
        )


@contextmanager
def _opened(path: str, vrt: str | None = None) -> Generator[rasterio.DatasetReader]:
    """Open a raster, with every refusal as one sentence."""
    name = without_query(path)
    try:
        with warnings.catch_warnings(), opening_env(vrt or path):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(vrt or path) as source:
                yield source
    except RasterioIOError as error:
        message = str(error).replace(path, name)
        if "HTTP response code: 404" in message or "ObjectNotFound" in message:
            raise SceneError(
                f"The server has no file {name}; check the address, and whether it is signed if it "
                "must be (404 Not Found)."
            ) from error
        if is_remote(path):
            raise SceneError(
                f"Cannot read {name} from its server; check the address, the network and the "
                f"credentials ({message})."
            ) from error
        if not Path(path).exists() and not path.startswith("/vsi") and ":" not in path:
            raise SceneError(f"There is no file {path}; check the path of the scene.") from error
        raise SceneError(
            f"Cannot open {path} as a raster; give a file that gdalinfo can read ({message})."
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
    if (
        transform.is_identity
        or not abs(transform.determinant) > 0
        or not np.isfinite(transform).all()
    ):
        raise SceneError(
            f"{path} has no usable transform (it has no georeferencing, pixels of no size, or only "
            "ground control points); warp it first, for example with 'gdalwarp FILE OUT'."
        )
    if is_truncated(path, source):
        raise SceneError(
            f"{path} is truncated: blocks that its header speaks of lie beyond its end; fetch or "
            "write it again."
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
        geobox=GeoBox(source.shape, transform, usable_crs(path, source)),
        bands=tuple(source.descriptions[i - 1] or f"band_{i}" for i in indexes),
        indexes=indexes,
        nodata=tuple(source.nodatavals[i - 1] for i in indexes),
        dtype=np.result_type(*dtypes).name,
        block_shape=source.block_shapes[0],
        alpha=alpha,
        has_mask=MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags,
        scale=tuple(source.scales[i - 1] for i in indexes),
        offset=tuple(source.offsets[i - 1] for i in indexes),
    )


def _date(
    path: str, source: rasterio.DatasetReader, pattern: DatePattern | None
) -> datetime | None:
    if pattern is not None:
        return pattern.find(path)
    named = date_in_name(path)
    if named is not None:
        return named
    # GDAL's common metadata of satellite products; always UTC.
    acquired = source.tags(ns="IMAGERY").get("ACQUISITIONDATETIME", "")
    return parse_utc(acquired, "%Y-%m-%d %H:%M:%S")


def _with_clouds(
    scene: Scene, source: rasterio.DatasetReader, rule: CloudMask
) -> dict[str, object]:
    """Fields of a scene that change when it has a cloud mask."""
    path = rule.path_for(scene.path)
    if path is None and rule.beside:
        raise SceneError(
            f"The name {scene.path} does not say where its cloud mask lies; give beside, a regular "
            "expression that matches it and what replaces the match."
        )
    if path is None:
        index = rule.number_among(scene.path, source.descriptions)
        kept = [at for at, number in enumerate(scene.indexes) if number != index]
        if not kept:
            raise SceneError(f"{scene.path} has no band beside its cloud mask; give its image.")
        return {
            "clouds": CloudMaskBand(scene.source, index, scene.geobox, rule),
            "bands": tuple(scene.bands[at] for at in kept),
            "indexes": tuple(scene.indexes[at] for at in kept),
            "nodata": tuple(scene.nodata[at] for at in kept),
            "scale": tuple(scene.scale[at] for at in kept),
            "offset": tuple(scene.offset[at] for at in kept),
            "dtype": np.result_type(*(source.dtypes[scene.indexes[at] - 1] for at in kept)).name,
        }
    return {"clouds": cloud_mask_beside(scene, path, rule)}


def cloud_mask_beside(scene: Scene, path: str, rule: CloudMask) -> CloudMaskBand:
    """Find the cloud mask of a scene in another file.

    Args:
        scene: the scene.
        path: file name or URL of the mask.
        rule: which band of it counts, and what it means.

    Raises:
        SceneError: if the file cannot be opened, lacks the band, or has another coordinate
            reference system.
    """
    with _opened(path) as mask:
        other = _describe(path, mask)
        index = rule.number_among(path, mask.descriptions)
    if other.crs != scene.crs:
        raise SceneError(
            f"The cloud mask {path} has another coordinate reference system than {scene.path}; "
            f"warp it first, for example with 'gdalwarp -r near -t_srs EPSG:{scene.crs.epsg}'."
        )
    return CloudMaskBand(path, index, other.geobox, rule)
