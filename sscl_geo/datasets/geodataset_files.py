"""The image files below a TorchGeo dataset, and where they have data."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry
from torchgeo.datasets import GeoDataset, IntersectionDataset, RasterDataset, UnionDataset

from sscl_geo.compat import band_files
from sscl_geo.datasets.mosaic import read_onto
from sscl_geo.geometry.grid import grid_shape, window_offset
from sscl_geo.io.finding import open_all
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import Scene, open_scene

type ReaderOf = Callable[[Scene], SceneReader]
"""Gives an open reader of a file."""


class ImageFiles(Protocol):
    """The image files below one dataset."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands that the files give together."""
        ...

    @property
    def paths(self) -> Collection[object]:
        """Files in the dataset's index."""
        ...

    @property
    def nodata(self) -> frozenset[float]:
        """Values that mark missing data in one of the files."""
        ...

    @property
    def doubtful(self) -> frozenset[float]:
        """Those of them that may hide data, where datasets were united."""
        ...

    def scene_for(self, geometry: BaseGeometry, path: object) -> Scene:
        """The file that an entry of the index stands for, or the one with most of its ground."""
        ...

    def valid(self, target: GeoBox, time: slice, reader: ReaderOf) -> NDArray[np.bool_]:
        """Where the files of a time have data, on a pixel grid."""
        ...


def image_files(dataset: GeoDataset) -> ImageFiles | None:
    """Open the headers of all image files below a dataset; None if it has none.

    Raises:
        SceneError: if a file cannot be opened.
    """
    if isinstance(dataset, UnionDataset | IntersectionDataset):
        found = [image_files(part) for part in dataset.datasets]
        parts = tuple(part for part in found if part is not None)
        return _Several(parts, every=isinstance(dataset, IntersectionDataset)) if parts else None
    if not isinstance(dataset, RasterDataset) or not dataset.is_image or dataset.time_series:
        return None
    paths = list(dataset.index["filepath"])
    named = [band_files(dataset, path) for path in paths]
    opened = iter(open_all([partial(open_scene, p) for row in named for p in row], strict=True))
    scenes = tuple(tuple(_as_read(next(opened), dataset) for _ in row) for row in named)
    return _Files(dataset.index, scenes, dict(zip(paths, scenes, strict=True)))


@dataclass(frozen=True, eq=False)
class _Files:
    """Files of one raster dataset.

    Attributes:
        index: the dataset's index.
        scenes: for each of its rows the file, or one file for each band.
        by_path: the same by the path in the index.
    """

    index: gpd.GeoDataFrame
    scenes: tuple[tuple[Scene, ...], ...]
    by_path: dict[object, tuple[Scene, ...]]

    @property
    def bands(self) -> tuple[str, ...]:
        return tuple(name for scene in self.scenes[0] for name in scene.bands)

    @property
    def doubtful(self) -> frozenset[float]:
        return frozenset()

    @property
    def paths(self) -> Collection[object]:
        return self.by_path

    @property
    def nodata(self) -> frozenset[float]:
        found = {v for row in self.scenes for scene in row for v in scene.nodata}
        return frozenset(v for v in found if v is not None)

    def scene_for(self, geometry: BaseGeometry, path: object) -> Scene:
        if path in self.by_path:
            return self.by_path[path][0]
        rows = self.index.sindex.query(geometry)
        shared = self.index.geometry.iloc[rows].intersection(geometry).area.to_numpy()
        return self.scenes[rows[shared.argmax()] if len(rows) else 0][0]

    def valid(self, target: GeoBox, time: slice, reader: ReaderOf) -> NDArray[np.bool_]:
        valid = np.zeros(grid_shape(target), dtype=bool)
        spans = pd.IntervalIndex(self.index.index)
        now = spans.overlaps(pd.Interval(time.start, time.stop, closed="both"))
        for row in np.sort(self.index.sindex.query(target.extent.geom)):
            if now[row] and not valid.all():
                masks = [_valid(target, s, reader(s)) for s in self.scenes[row]]
                valid |= np.logical_and.reduce(masks)
        return valid


@dataclass(frozen=True, eq=False)
class _Several:
    """Files of a union, or of an intersection (``every``)."""

    parts: tuple[ImageFiles, ...]
    every: bool

    @property
    def bands(self) -> tuple[str, ...]:
        chosen = self.parts if self.every else self.parts[:1]
        return tuple(name for part in chosen for name in part.bands)

    @property
    def doubtful(self) -> frozenset[float]:
        own = frozenset[float]() if self.every else self.nodata
        return own.union(*(part.doubtful for part in self.parts))

    @property
    def nodata(self) -> frozenset[float]:
        return frozenset[float]().union(*(part.nodata for part in self.parts))

    @property
    def paths(self) -> Collection[object]:
        return [path for part in self.parts for path in part.paths]

    def scene_for(self, geometry: BaseGeometry, path: object) -> Scene:
        holders = [part for part in self.parts if path in part.paths]
        return (holders or self.parts)[0].scene_for(geometry, path)

    def valid(self, target: GeoBox, time: slice, reader: ReaderOf) -> NDArray[np.bool_]:
        masks = [part.valid(target, time, reader) for part in self.parts]
        return (np.logical_and if self.every else np.logical_or).reduce(masks)


def _valid(target: GeoBox, scene: Scene, reader: SceneReader) -> NDArray[np.bool_]:
    """Where a file has data on a grid, less the edge where that is not its own."""
    if window_offset(scene.geobox, target) is not None:
        return read_onto(target, scene, reader.read).valid
    # TorchGeo warps in two steps, of which the second blends with what the first filled in.
    valid = read_onto(target.pad(1), scene, reader.read).valid
    return np.lib.stride_tricks.sliding_window_view(valid, (3, 3)).all(axis=(2, 3))


def _as_read(scene: Scene, dataset: RasterDataset) -> Scene:
    """A file with the bands that a dataset reads of it and its own nodata value, if it has one."""
    if not dataset.separate_files and dataset.band_indexes:
        at = [scene.indexes.index(i) for i in dataset.band_indexes]
        scene = replace(
            scene,
            bands=tuple(dataset.bands),
            indexes=tuple(scene.indexes[i] for i in at),
            nodata=tuple(scene.nodata[i] for i in at),
            scale=tuple(scene.scale[i] for i in at),
            offset=tuple(scene.offset[i] for i in at),
        )
    if dataset.nodata is not None:
        scene = replace(scene, nodata=(dataset.nodata,) * len(scene.bands))
    return scene
