"""Scenes as a TorchGeo dataset."""

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Self

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
import torch
from numpy.typing import NDArray
from torchgeo.datasets import GeoDataset
from torchgeo.datasets.utils import GeoSlice, Sample

from sscl_geo.datasets.mosaic import read_onto, target_grid
from sscl_geo.datasets.selection import scenes_between, scenes_touching
from sscl_geo.errors import BandError
from sscl_geo.geometry.affine import matrix_from_affine
from sscl_geo.geometry.footprint import footprint
from sscl_geo.io.area import Area, AreaOfInterest
from sscl_geo.io.cloud_mask import CloudMask
from sscl_geo.io.dates import DatePattern, Moment, covered_time
from sscl_geo.io.finding import find_scenes, open_all
from sscl_geo.io.headers import Headers
from sscl_geo.io.reader_pool import ReaderPool
from sscl_geo.io.reading import Patch, RawPatch, SceneReader
from sscl_geo.io.scene import Scene
from sscl_geo.io.stac import StacSource, open_item, read_items


class SceneDataset(GeoDataset):
    """Georeferenced rasters, each on its own grid, in its own coordinate reference system.

    The index, with footprints in the CRS of the first scene, serves to find scenes; pixels are
    never warped to a common grid unless a plain TorchGeo slice asks for a mosaic.

    Args:
        paths: a file, a folder, a pattern (``scenes/*.tif``), or several of these; anything GDAL
            opens, such as URLs. Scenes that are open already are taken as they are.
        bands: names of the bands to read, in this order; all if None.
        transforms: applied to each sample of :meth:`__getitem__`.
        strict: True makes an unreadable scene an error; otherwise it is named in a warning and
            left out.
        dates: (first, last) time of the scenes to use, both included, either None for open:
            ``("2018", "2020-06")``, ``("2018-07-16T10:00Z", None)`` or Python's own dates. A scene
            without a date is left out with a warning.
        date_pattern: regular expression with a group named ``date``, searched for in the path of
            each scene; the usual forms of dates in file names if None.
        date_format: how that group is written, in the codes of ``strptime``.
        clouds: which pixels are cloudy, and where that is written, such as
            ``CloudMask.sentinel2_scl()``; they are not valid.
        aoi: area of interest: a vector file in any CRS, a geopandas object, or a polygon in the CRS
            of the first scene. Scenes away from it are left out; pairs are drawn from within.

    Attributes:
        scenes: the scenes, in the order in which they were found.
        bands: names of the bands.
        aoi: the area of interest in the CRS of the dataset; None if everything is of interest.

    Raises:
        SceneError: if nothing is found or, with ``strict``, a scene cannot be read.
        BandError: if scenes differ in their number of bands or lack a band.

    Example:
        >>> from sscl_geo import SceneDataset
        >>> dataset = SceneDataset(scene_path)
        >>> sample = dataset[dataset.bounds]
        >>> sample["image"].shape
        torch.Size([3, 96, 128])
    """

    def __init__(
        self,
        paths: str | os.PathLike[str] | Scene | Iterable[str | os.PathLike[str] | Scene],
        bands: Sequence[str] | None = None,
        transforms: Callable[[Sample], Sample] | None = None,
        strict: bool = False,
        dates: tuple[Moment | None, Moment | None] | None = None,
        date_pattern: str | None = None,
        date_format: str = "%Y%m%d",
        clouds: CloudMask | None = None,
        aoi: AreaOfInterest | None = None,
    ) -> None:
        given = [paths] if isinstance(paths, str | os.PathLike | Scene) else list(paths)
        self.paths = [p for p in given if not isinstance(p, Scene)]
        self.transforms = transforms
        self.scenes = tuple(scene for scene in given if isinstance(scene, Scene))
        pattern = None if date_pattern is None else DatePattern(date_pattern, date_format)
        if self.paths or not self.scenes:
            headers = Headers([os.fspath(path) for path in self.paths], pattern, clouds)
            tasks = [partial(headers.open, path) for path in find_scenes(self.paths, clouds)]
            self.scenes += open_all(tasks, strict=strict)
            headers.keep()
        if dates is not None:
            self.scenes = scenes_between(self.scenes, *dates)
        area = None if aoi is None else Area(aoi, pyproj.CRS(self.scenes[0].crs.wkt))
        if area is not None:
            self.scenes = scenes_touching(self.scenes, area)
        self.bands = tuple(bands) if bands is not None else self.scenes[0].bands
        for scene in self.scenes:
            if len(scene.bands) != len(self.scenes[0].bands) and bands is None:
                raise BandError(
                    f"{scene.path} has {len(scene.bands)} bands but {self.scenes[0].path} has "
                    f"{len(self.scenes[0].bands)}; use scenes with the same bands, "
                    "or choose bands by name."
                )
        self._by_name = bands is not None
        self._readers = ReaderPool(self._make_reader)
        self._res = self.scenes[0].pixel_size
        self.index = _build_index(self.scenes)
        self.aoi = (
            None if area is None else area.to_crs(self.crs, shapely.box(*self.index.total_bounds))
        )

    @classmethod
    def from_stac(
        cls,
        source: StacSource,
        assets: Sequence[str],
        *,
        clouds: CloudMask | None = None,
        strict: bool = False,
        **options: Any,
    ) -> Self:
        """Scenes of STAC items: chosen assets become bands, the item's time the scene's date.

        Assets of one item are joined on the finest grid among them; nothing is written.

        Args:
            source: an item, item collection, collection or catalog: a path, a URL, JSON in a
                dictionary, or a pystac object, for example what ``pystac_client`` found.
            assets: keys of the assets, in the order of the bands.
            clouds: cloud mask whose ``band`` is the key of an asset, such as
                ``CloudMask.sentinel2_scl(band="scl")``.
            strict: True makes an item that cannot be opened an error; otherwise it is named in a
                warning and left out.
            options: ``bands``, ``transforms``, ``dates``, ``aoi`` of the dataset.

        Raises:
            SceneError: if the source cannot be read, or no item can be opened.
            ConfigError: if pystac is not installed.

        Example:
            >>> from sscl_geo import SceneDataset
            >>> item = {
            ...     "type": "Feature", "stac_version": "1.0.0", "id": "zion", "links": [],
            ...     "geometry": None, "properties": {"datetime": "2020-05-18T18:19:21Z"},
            ...     "assets": {"visual": {"href": str(scene_path)}},
            ... }
            >>> SceneDataset.from_stac(item, assets=["visual"]).bands
            ('visual_1', 'visual_2', 'visual_3')
        """
        tasks = [partial(open_item, item, assets, clouds) for item in read_items(source)]
        return cls(open_all(tasks, strict=strict), **options)

    def read(self, scene: int, row: int, col: int, height: int, width: int) -> Patch:
        """Read a window of one scene on its own grid.

        Args:
            scene: number of the scene in :attr:`scenes`.
            row: first row, may lie outside.
            col: first column, may lie outside.
            height: rows.
            width: columns.

        Returns:
            image (C, height, width) in raw units and valid mask.
        """
        return self.reader(scene).read(row, col, height, width)

    def read_raw(
        self,
        scene: int,
        row: int,
        col: int,
        height: int,
        width: int,
        out: NDArray[np.generic] | None = None,
    ) -> RawPatch:
        """Read a window as :meth:`read` does, its pixels as they are in the file.

        Args:
            scene: as in :meth:`read`.
            row: as in :meth:`read`.
            col: as in :meth:`read`.
            height: as in :meth:`read`.
            width: as in :meth:`read`.
            out: memory for the pixels; see :meth:`~sscl_geo.io.reading.SceneReader.read_raw`.
        """
        return self.reader(scene).read_raw(row, col, height, width, out)

    def reader(self, scene: int) -> SceneReader:
        """Reader of one scene and the dataset's bands, for the thread that asks; opened late."""
        return self._readers[scene]

    def _make_reader(self, scene: int) -> SceneReader:
        found = self.scenes[scene]
        # The same names in another order, each once: a place in the file says nothing then.
        is_permuted = found.bands != self.bands and set(found.bands) == set(self.bands)
        by_name = self._by_name or (is_permuted and len(set(self.bands)) == len(found.bands))
        return SceneReader(found, self.bands if by_name else None)

    def __getitem__(self, index: GeoSlice) -> Sample:
        """Read a mosaic by map coordinates, as TorchGeo's datasets do.

        The patch lies on the pixel grid of the first scene (extended), so that a slice which
        falls on that grid returns untouched pixels; scenes on other grids are warped with bilinear
        interpolation. Where scenes overlap, the first one with data wins.

        Args:
            index: ``[xmin:xmax, ymin:ymax, tmin:tmax]`` in the CRS of the dataset.

        Returns:
            ``image`` float32 (C, H, W), ``valid`` bool (H, W), ``pixel_to_map`` float64 (2, 3),
            ``bounds`` and ``transform`` as TorchGeo gives them (float32; not for geometry).

        Raises:
            IndexError: if no scene intersects the slice.
        """
        x, y, t = self._disambiguate_slice(index)
        rows = self.index.iloc[
            pd.IntervalIndex(self.index.index).overlaps(pd.Interval(t.start, t.stop, closed="both"))
        ]
        numbers = rows["scene"][
            rows.geometry.intersects(shapely.box(x.start, y.start, x.stop, y.stop))
        ].tolist()
        if not numbers:
            raise IndexError(f"index: {index} not found in dataset with bounds: {self.bounds}")
        target = target_grid(x, y, self.scenes[0], self.crs, self.res)
        height, width = (int(n) for n in target.shape)
        image = np.zeros((len(self.bands), height, width), np.float32)
        valid = np.zeros((height, width), bool)
        for number in numbers:
            patch = read_onto(target, self.scenes[number], partial(self.read, number))
            new = patch.valid & ~valid
            image[:, new] = patch.image[:, new]
            valid |= new
        sample: Sample = {
            "image": torch.from_numpy(image),
            "valid": torch.from_numpy(valid),
            "pixel_to_map": torch.from_numpy(matrix_from_affine(target.affine)),
            "bounds": self._slice_to_tensor(index),
            "transform": torch.tensor(target.affine[:6]),
        }
        return self.transforms(sample) if self.transforms is not None else sample


def _build_index(scenes: Sequence[Scene]) -> gpd.GeoDataFrame:
    by_crs: dict[str, list[int]] = {}
    for i, scene in enumerate(scenes):
        by_crs.setdefault(scene.crs.wkt, []).append(i)
    crs = pyproj.CRS(scenes[0].crs.wkt)
    geometry = np.empty(len(scenes), dtype=object)
    for wkt, numbers in by_crs.items():
        polygons = [
            footprint(matrix_from_affine(scenes[i].geobox.affine), scenes[i].shape) for i in numbers
        ]
        own = gpd.GeoSeries(polygons, crs=wkt)
        geometry[numbers] = own.to_numpy() if own.crs == crs else own.to_crs(crs).to_numpy()
    spans = [_span(scene) for scene in scenes]
    times = pd.IntervalIndex.from_arrays(
        [first for first, _ in spans], [last for _, last in spans], closed="both", name="datetime"
    )
    return gpd.GeoDataFrame(
        {"filepath": [s.path for s in scenes], "scene": range(len(scenes))},
        index=times,
        geometry=list(geometry),
        crs=crs,
    )


def _span(scene: Scene) -> tuple[datetime, datetime]:
    """Time that a scene stands for, in UTC without a zone, as TorchGeo's indexes have it."""
    if scene.date is None:
        return pd.Timestamp.min, pd.Timestamp.max
    first, last = covered_time(scene.date)
    return first.replace(tzinfo=None), last.replace(tzinfo=None)
