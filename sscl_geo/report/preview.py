"""Small pictures of large rasters: stretched colours of a scene, class colours of a map.

Pictures are uint8 arrays of shape (height, width, 4): red, green, blue, and an alpha that is 0
where there is no data. They lie in the pixel grid of the raster, not turned north.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling

from sscl_geo.classes import ClassTable
from sscl_geo.errors import SceneError
from sscl_geo.io.remote import side_car_env
from sscl_geo.io.scene import Scene

Picture = NDArray[np.uint8]

TRUE_COLOR = ("red", "green", "blue")
FALSE_COLOR = ("nir", "red", "green")

_GAMMA = 1.35  # forest and water are dark beside roofs and bare soil


@dataclass(frozen=True)
class Stretch:
    """Band-wise stretch from raw values to 0 .. 255, linear but for a gamma that lifts the dark.

    Attributes:
        low: raw value of each band that becomes 0.
        high: raw value of each band that becomes 255.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @classmethod
    def of(
        cls, image: NDArray[np.float32], valid: NDArray[np.bool_], percent: float = 2.0
    ) -> "Stretch":
        """Stretch between two percentiles of the valid pixels.

        Args:
            image: raw values of shape (bands, ...).
            valid: bool of the shape of one band.
            percent: share of pixels cut off at either end, in percent.
        """
        values = image[:, valid]
        if values.shape[1] == 0:
            values = np.zeros((image.shape[0], 1), dtype=np.float32)
        low, high = np.percentile(values, [percent, 100 - percent], axis=1).astype(np.float32)
        return cls(low, np.where(high > low, high, low + 1))

    def picture(self, image: NDArray[np.float32], valid: NDArray[np.bool_]) -> Picture:
        """Colour an image of shape (3, height, width), or (1, height, width) in grey."""
        low, high = (v.reshape(-1, 1, 1) for v in (self.low, self.high))
        scaled = np.clip((np.nan_to_num(image) - low) / (high - low), 0, 1) ** (1 / _GAMMA)
        rgb = np.broadcast_to(np.rint(scaled * 255), (3, *valid.shape))
        rgba = np.concatenate([rgb, np.where(valid, 255, 0)[None]])
        return rgba.astype(np.uint8).transpose(1, 2, 0)


def color_bands(bands: Sequence[str], wanted: Sequence[str] = TRUE_COLOR) -> tuple[int, ...] | None:
    """Places of the bands to show as red, green and blue; None if a name is missing."""
    names = [band.strip().lower() for band in bands]
    return tuple(names.index(w) for w in wanted) if set(wanted) <= set(names) else None


def best_bands(bands: Sequence[str]) -> tuple[int, ...]:
    """Places of the bands of a picture: true colour where the names tell, else the first three.

    One place, for a grey picture, where there are fewer than three bands.
    """
    return color_bands(bands) or ((0, 1, 2) if len(bands) >= 3 else (0,))


def scene_picture(
    scene: Scene, bands: Sequence[int] | None = None, max_side: int = 1200, percent: float = 2.0
) -> Picture:
    """Stretched colours of a whole scene, read from its overviews where it is large.

    Args:
        scene: what to show.
        bands: places among ``scene.bands`` of red, green and blue, or of one grey band.
        max_side: longest side of the picture in pixels.
        percent: share of pixels cut off at either end of the stretch, in percent.

    Raises:
        SceneError: if the file cannot be read.
    """
    chosen = tuple(bands) if bands is not None else best_bands(scene.bands)
    indexes = [scene.indexes[i] for i in chosen]
    pixels = _read(scene.source, indexes, max_side, Resampling.average)
    image = np.where(np.ma.getmaskarray(pixels), np.nan, pixels.data).astype(np.float32)
    valid = np.isfinite(image).all(axis=0)
    return Stretch.of(image, valid, percent).picture(image, valid)


def map_picture(path: str | os.PathLike[str], classes: ClassTable, max_side: int = 1200) -> Picture:
    """Class colours of a map file, or of a label raster on any grid.

    Raises:
        SceneError: if the file cannot be read.
    """
    pixels = _read(path, [1], max_side, Resampling.mode)[0]
    values = np.where(np.ma.getmaskarray(pixels), classes.nodata, pixels.data)
    return class_picture(values, classes)


def class_picture(values: NDArray[np.generic], classes: ClassTable) -> Picture:
    """Colours of class values of shape (height, width); clear where no class has the value."""
    picture = np.zeros((*values.shape, 4), dtype=np.uint8)
    for item in classes:
        picture[values == item.value] = (*item.color, 255)
    return picture


def save_picture(picture: Picture, path: str | os.PathLike[str]) -> Path:
    """Write a picture as PNG; the file appears whole or not at all.

    Raises:
        OutputError: if it cannot be written.
    """
    from sscl_geo.io.atomic import atomic_path

    with atomic_path(path) as temporary:
        temporary.write_bytes(encode_png(picture))
    return Path(path)


def encode_png(picture: Picture) -> bytes:
    """Return a picture as the bytes of a PNG file."""
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(picture, "RGBA").save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _read(
    path: str | os.PathLike[str], indexes: list[int], max_side: int, resampling: Resampling
) -> np.ma.MaskedArray:
    try:
        with side_car_env(path), rasterio.open(path) as source:
            factor = max(1.0, max(source.shape) / max_side)
            height, width = (max(1, round(side / factor)) for side in source.shape)
            return source.read(
                indexes, out_shape=(len(indexes), height, width), resampling=resampling, masked=True
            )
    except rasterio.errors.RasterioIOError as error:
        raise SceneError(
            f"Cannot read {os.fspath(path)} for a picture; check that it is a whole raster "
            f"({error})."
        ) from error
