"""Reading a place of a TorchGeo dataset like a scene."""

import os
from copy import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry
from torchgeo.datasets import GeoDataset, IntersectionDataset, UnionDataset

from sscl_geo.datasets.geodataset_files import ImageFiles
from sscl_geo.errors import ConfigError, SceneError
from sscl_geo.geometry.grid import grid_shape
from sscl_geo.io.rasterize import rasterize
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import Scene


@dataclass(frozen=True)
class Place(Scene):
    """An entry of a TorchGeo dataset's index, as a scene on whole pixels.

    Attributes:
        time: from when to when, for slices of the dataset.
        polygon: its ground in map coordinates, if that is no upright box.
    """

    time: slice = slice(None)
    polygon: BaseGeometry | None = None

    # What a dataset object does to its pixels cannot be told from its files.
    has_identity: ClassVar[bool] = False


class GeoDatasetReader(SceneReader):
    """Reads windows of one place through a TorchGeo dataset; for one thread at a time.

    TorchGeo keeps open files in a cache that survives a fork, after which they give wrong pixels
    without an error. Its key is the dataset object: reading from a copy that each reader makes for
    itself in each process keeps them apart.

    Args:
        place: what to read.
        dataset: what to read it from.
        files: the image files below the dataset, which say where there is data.
    """

    def __init__(self, place: Place, dataset: GeoDataset, files: ImageFiles) -> None:
        super().__init__(place)
        self.place = place
        self._original = dataset
        self._files = files
        self._own: GeoDataset | None = None
        self._process = -1
        self._masks: dict[tuple[str, tuple[int, ...]], SceneReader] = {}

    def close(self) -> None:
        """Forget the open files; the next read opens them again."""
        self._own = None
        for reader in self._masks.values():
            reader.close()

    def look(self) -> NDArray[np.float32]:
        """The first pixel of all bands."""
        return self._image(self.place.geobox[:1, :1])

    def _decode(
        self, window: Window, out: NDArray[np.generic] | None = None
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        rows, cols = window.toslices()
        target = self.place.geobox[rows, cols]
        image = self._image(target)
        valid = self._files.valid(target, self.place.time, self._mask_reader)
        valid &= np.isfinite(image).all(axis=0)
        if self._files.doubtful:
            valid &= ~np.isin(image, list(self._files.doubtful)).any(axis=0)
        if self.place.polygon is not None:
            drawn = rasterize(np.array([self.place.polygon]), np.ones(1, np.uint8), target)
            valid &= drawn == 1
        if out is not None:
            out[:] = image
        return image if out is None else out, valid

    def _image(self, target: GeoBox) -> NDArray[np.float32]:
        a, _, west, _, e, north = target.affine[:6]
        height, width = grid_shape(target)
        index = (
            slice(west, west + a * width, a),
            slice(north + e * height, north, -e),
            self.place.time,
        )
        try:
            sample = self._dataset()[index]
        except (RasterioError, IndexError) as error:
            raise SceneError(
                f"Cannot read {self.place.path} through {type(self._original).__name__} at "
                f"x {west:.0f}, y {north:.0f}; the file seems damaged, fetch or write it again "
                f"({error})."
            ) from error
        image = sample["image"].numpy()
        if image.ndim != 3 or image.shape[1:] != (height, width):
            raise ConfigError(
                f"{type(self._original).__name__} gave an image of shape {tuple(image.shape)} for "
                f"{height} x {width} pixels; leave away transforms that change the size."
            )
        return image.astype(np.float32, copy=False)

    def _dataset(self) -> GeoDataset:
        if self._own is None or self._process != os.getpid():
            self._own, self._process = _apart(self._original), os.getpid()
        return self._own

    def _mask_reader(self, scene: Scene) -> SceneReader:
        key = (scene.path, scene.indexes)
        if key not in self._masks:
            self._masks[key] = SceneReader(scene)
        return self._masks[key]


def _apart[D: GeoDataset](dataset: D) -> D:
    """A copy that shares no open file with the original."""
    other = copy(dataset)
    if isinstance(other, UnionDataset | IntersectionDataset):
        other.datasets = [_apart(part) for part in other.datasets]
    return other
