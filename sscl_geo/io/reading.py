"""Reading windows of a scene, with a true mask of where there is data."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

from sscl_geo.errors import BandError, SceneError
from sscl_geo.io.cloud_reading import CloudMaskReader
from sscl_geo.io.handle import RasterHandle
from sscl_geo.io.remote import remote_env, without_query
from sscl_geo.io.scene import Scene


class Patch(NamedTuple):
    """Pixels of a window of a scene.

    Attributes:
        image: float32 of shape (bands, height, width), raw values; 0 where not valid.
        valid: bool of shape (height, width); True where every band has data.
    """

    image: NDArray[np.float32]
    valid: NDArray[np.bool_]


class RawPatch(NamedTuple):
    """Pixels of a window of a scene, as they are in the file.

    Attributes:
        pixels: shape (bands, height, width), in the type of the file; anything where not valid.
        valid: bool of shape (height, width); True where every band has data.
    """

    pixels: NDArray[np.generic]
    valid: NDArray[np.bool_]


class SceneReader:
    """Reads windows of one scene; for one thread at a time.

    The file is opened at the first read, and again in a process that was forked since: a GDAL
    handle that two processes share returns wrong pixels without an error. A pickled reader carries
    no handle.

    Args:
        scene: what to read.
        bands: names of the bands to read, in this order; all if None.

    Raises:
        BandError: if the scene has no band of a name that was asked for.
    """

    def __init__(self, scene: Scene, bands: Sequence[str] | None = None) -> None:
        self.scene = scene
        self.bands = tuple(bands) if bands is not None else scene.bands
        unknown = [band for band in self.bands if band not in scene.bands]
        if unknown:
            raise BandError(
                f"{scene.path} has no band {', '.join(unknown)}; "
                f"it has {', '.join(scene.bands)}: choose among these."
            )
        # By position when all are read: files may give several bands the same name.
        everything = range(len(scene.bands))
        at = everything if bands is None else [scene.bands.index(band) for band in self.bands]
        self._indexes = [scene.indexes[i] for i in at]
        self._nodata = [scene.nodata[i] for i in at]
        self._handle = RasterHandle(scene.source, without_query(scene.path))
        self._clouds = None if scene.clouds is None else CloudMaskReader(scene, scene.clouds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        self._handle.close()
        if self._clouds is not None:
            self._clouds.close()

    def read(self, row: int, col: int, height: int, width: int) -> Patch:
        """Read a window, which may reach beyond the scene.

        A pixel is valid where every band that is read has data: it differs from the band's nodata
        value, is finite, is not masked by a mask band or a cloud mask, and has alpha above 0.
        Pixels beyond the scene are not valid.

        Args:
            row: first row, may be negative.
            col: first column, may be negative.
            height: number of rows.
            width: number of columns.

        Returns:
            image and valid mask.

        Raises:
            SceneError: if the file cannot be opened or a block of it cannot be decoded.
        """
        pixels, valid = self.read_raw(row, col, height, width)
        return Patch(np.where(valid, pixels, 0).astype(np.float32, copy=False), valid)

    def read_raw(
        self,
        row: int,
        col: int,
        height: int,
        width: int,
        out: NDArray[np.generic] | None = None,
    ) -> RawPatch:
        """Read a window as :meth:`read` does, but leave its pixels as they are in the file.

        For callers that keep only parts of a large window: turning all of it into float32 would
        cost as much as decoding.

        Args:
            row: as in :meth:`read`.
            col: as in :meth:`read`.
            height: as in :meth:`read`.
            width: as in :meth:`read`.
            out: memory for the pixels, (bands, height, width) in the type of the scene. Threads
                that each decode into memory of their own run side by side; with new memory at each
                read they wait for the system to clear it.
        """
        scene_height, scene_width = self.scene.shape
        top, left = max(row, 0), max(col, 0)
        bottom, right = min(row + height, scene_height), min(col + width, scene_width)
        if top >= bottom or left >= right:
            empty = np.zeros((len(self._indexes), height, width), self.scene.dtype)
            return RawPatch(empty, np.zeros((height, width), dtype=bool))
        window = Window(left, top, right - left, bottom - top)  # ty: ignore[too-many-positional-arguments]
        if (bottom - top, right - left) == (height, width):
            return RawPatch(*self._decode(window, out))
        pixels, valid = self._decode(window)
        edges = ((top - row, row + height - bottom), (left - col, col + width - right))
        return RawPatch(np.pad(pixels, ((0, 0), *edges)), np.pad(valid, edges))

    def _decode(
        self, window: Window, out: NDArray[np.generic] | None = None
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        source = self._handle.open()
        try:
            with remote_env(self._handle.source):
                pixels = _read_bands(source, self._indexes, window, self.scene.dtype, out)
                valid = _has_data(pixels, self._nodata)
                if self.scene.alpha is not None:
                    valid &= source.read(self.scene.alpha, window=window) > 0
                if self.scene.has_mask:
                    valid &= source.read_masks(self._indexes[0], window=window) > 0
                if self._clouds is not None:
                    valid &= self._clouds.valid(
                        window.row_off, window.col_off, window.height, window.width, source
                    )
        except RasterioIOError as error:
            raise SceneError(
                f"Cannot decode {self._handle.label} at row {window.row_off:.0f}, column "
                f"{window.col_off:.0f}; the file seems damaged, fetch or write it again ({error})."
            ) from error
        return pixels, valid


def _read_bands(
    source: rasterio.DatasetReader,
    indexes: list[int],
    window: Window,
    dtype: str,
    out: NDArray[np.generic] | None,
) -> NDArray[np.generic]:
    if len({source.dtypes[i - 1] for i in indexes}) == 1:
        return source.read(indexes, window=window, out=out)
    # Rasterio refuses to read bands of several types, which VRTs may have, at once.
    return np.stack([source.read(i, window=window).astype(dtype) for i in indexes])


def _has_data(pixels: NDArray[np.generic], nodata: Sequence[float | None]) -> NDArray[np.bool_]:
    valid = np.ones(pixels.shape[1:], dtype=bool)
    known = None
    for band, value in zip(pixels, nodata, strict=True):
        missing = _missing(value, band.dtype)
        # Most windows have data everywhere: extremes say so several times faster than a mask.
        if band.dtype.kind == "f" and not np.isfinite([band.min(), band.max()]).all():
            known = np.isfinite(band, out=known)
            valid &= known
        # NaN compares as neither.
        if missing is not None and not (band.min() > missing or band.max() < missing):
            known = np.not_equal(band, missing, out=known)
            valid &= known
    return valid


@lru_cache
def _missing(nodata: float | None, dtype: np.dtype[np.generic]) -> Any:
    """A nodata value in the pixels' own type: -3.4e38 as float64 differs from its float32.

    None if no pixel of the type can have it: -9999 on uint8 marks nothing.
    """
    if nodata is None:
        return None
    if dtype.kind == "f":
        return None if np.isnan(nodata) else np.asarray(nodata).astype(dtype)
    limits = np.iinfo(dtype.name)
    occurs = float(nodata).is_integer() and limits.min <= nodata <= limits.max
    return np.asarray(nodata).astype(dtype) if occurs else None
