"""TorchGeo's datasets as scenes to draw pairs from."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from math import ceil, floor, isclose
from typing import Any

import pandas as pd
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry
from torchgeo.datasets import GeoDataset

from sscl_geo.datasets.geodataset_files import ImageFiles, image_files
from sscl_geo.datasets.geodataset_reader import GeoDatasetReader, Place
from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.errors import ConfigError, SceneError
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import Scene

_TOLERANCE = 1e-3
"""Pixels by which bounds may miss a pixel's edge: how well files keep a transform."""


class GeoDatasetScenes(SceneDataset):
    """Present a TorchGeo dataset of images as scenes, so that pairs can be drawn from it.

    For datasets that exist as TorchGeo classes, and for their unions and intersections. A
    :class:`~sscl_geo.datasets.scenes.SceneDataset` of the same files is several times faster and
    warps nothing; this class reads each place through TorchGeo, with all that this means:

    - Each entry of the dataset's index is a place to draw in, cut to whole pixels. Patches lie on
      the pixel grid of the entry's own file, not on that of the index's bounds, so that nothing is
      blurred. Files of another CRS or resolution than the dataset's are warped by TorchGeo, with
      the nearest pixel.
    - ``a | b``: pixels are the greatest value of those that overlap. Those of the value that a file
      marks missing data with are not valid, since they may hide data.
    - ``a & b``: pixels lie where both have data; bands of two image datasets follow each other;
      masks and vector labels only bound the ground.
    - Where there is data is measured from the files (nodata value, mask band, alpha, NaN), which
      are read once more for it.

    Args:
        dataset: a raster dataset, or a union or intersection of such, possibly with others.
        options: ``dates`` and ``aoi`` of :class:`~sscl_geo.datasets.scenes.SceneDataset`.

    Raises:
        ConfigError: if the dataset gives no images, or a time series.
        SceneError: if a file cannot be opened, or no entry is as large as a pixel.

    Example:
        >>> from torchgeo.datasets import RasterDataset
        >>> from sscl_geo import GeoDatasetScenes, OverlapPairSampler, PairDataset
        >>> images = RasterDataset(str(scene_path))
        >>> scenes = GeoDatasetScenes(images)
        >>> sampler = OverlapPairSampler(scenes, size=32, length=4)
        >>> PairDataset(scenes, size=32)[next(iter(sampler))]["image"].shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(self, dataset: GeoDataset, **options: Any) -> None:
        files = image_files(dataset)
        if files is None:
            raise ConfigError(
                f"{type(dataset).__name__} gives no images; use a RasterDataset with is_image=True "
                "and without time_series, or join one to it."
            )
        self.dataset = dataset
        self._files = files
        places = list(_places(dataset, files))
        if not places:
            raise SceneError(
                "No entry of the dataset is as large as a pixel; check its resolution."
            )
        # The number of bands, and what else the dataset does to them, shows only in a sample.
        bands = len(GeoDatasetReader(places[0], dataset, files).look())
        names = tuple(f"band_{i}" for i in range(1, bands + 1))
        if len(files.bands) == bands:
            names = files.bands
        super().__init__(
            [
                replace(p, bands=names, indexes=tuple(range(1, bands + 1)), nodata=(None,) * bands)
                for p in places
            ],
            **options,
        )

    def _make_reader(self, scene: int) -> SceneReader:
        place = self.scenes[scene]
        if not isinstance(place, Place):
            raise TypeError(f"{place.path} is no place of {type(self.dataset).__name__}.")
        return GeoDatasetReader(place, self.dataset, self._files)


def _places(dataset: GeoDataset, files: ImageFiles) -> Iterator[Place]:
    """Each entry of a dataset as a scene with the pixel grid that its file has in the dataset."""
    paths = dataset.index.get("filepath", pd.Series(index=range(len(dataset.index))))
    rows = zip(dataset.index.geometry, dataset.index.index, paths, strict=True)
    for geometry, time, path in rows:
        scene = files.scene_for(geometry, path)
        geobox = _grid(geometry, dataset, scene)
        if geobox is None:
            continue
        start, stop = time.left, time.right
        known = start != pd.Timestamp.min
        box = shapely.box(*geometry.bounds)
        yield Place(
            path=scene.path,
            geobox=geobox,
            bands=(),
            indexes=(),
            nodata=(),
            dtype="float32",
            block_shape=scene.block_shape,
            alpha=None,
            has_mask=False,
            date=start.to_pydatetime(warn=False).replace(tzinfo=UTC) if known else None,
            time=slice(start, max(stop, start + pd.Timedelta(1, "us"))),
            polygon=None if isclose(geometry.area, box.area, rel_tol=1e-9) else geometry,
        )


def _grid(geometry: BaseGeometry, dataset: GeoDataset, scene: Scene) -> GeoBox | None:
    """Whole pixels within a geometry's bounds; None if there is none."""
    xres, yres = dataset.res
    west, south, east, north = geometry.bounds
    a, b, left, d, e, top = scene.geobox.affine[:6]
    own = b == d == 0 and isclose(a, xres) and isclose(-e, yres) and scene.crs == dataset.crs
    if not own:
        # TorchGeo warps it onto a grid from the corner of its bounds.
        left, top = west, north
    first_col, last_col = _whole((west - left) / xres, (east - left) / xres)
    first_row, last_row = _whole((top - north) / yres, (top - south) / yres)
    if first_col >= last_col or first_row >= last_row:
        return None
    corner = Affine(xres, 0, left, 0, -yres, top) @ Affine.translation(first_col, first_row)
    return GeoBox((last_row - first_row, last_col - first_col), corner, dataset.crs)


def _whole(start: float, stop: float) -> tuple[int, int]:
    return ceil(start - _TOLERANCE), floor(stop + _TOLERANCE)
