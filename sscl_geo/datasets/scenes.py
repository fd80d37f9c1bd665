"""Scenes as a TorchGeo dataset."""

import glob
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import rasterio.warp
import shapely
import torch
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from torchgeo.datasets import GeoDataset
from torchgeo.datasets.utils import GeoSlice, Sample

from sscl_geo.errors import BandError, SceneError, SkippedSceneWarning
from sscl_geo.geometry.affine import affine_from_matrix, compose, invert, matrix_from_affine
from sscl_geo.geometry.footprint import corners, footprint
from sscl_geo.io.reading import Patch, SceneReader
from sscl_geo.io.scene import Scene, open_scene

RASTER_SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".img", ".png", ".nc", ".hdf")
"""Suffixes looked for in a folder; a file that is named outright may have any."""

_OPENING_THREADS = 16


class SceneDataset(GeoDataset):
    """Georeferenced rasters, each on its own grid, in its own coordinate reference system.

    The index, with footprints in the CRS of the first scene, serves to find scenes; pixels are
    never warped to a common grid unless a plain TorchGeo slice asks for a mosaic.

    Args:
        paths: a file, a folder, a pattern (``scenes/*.tif``), or several of these; anything GDAL
            opens.
        bands: names of the bands to read, in this order; all if None.
        transforms: applied to each sample of :meth:`__getitem__`.
        strict: True makes an unreadable scene an error; otherwise it is named in a warning and
            left out.

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
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        bands: Sequence[str] | None = None,
        transforms: Callable[[Sample], Sample] | None = None,
        strict: bool = False,
    ) -> None:
        self.paths = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
        self.transforms = transforms
        self.scenes = _open_all(find_scenes(self.paths), strict=strict)
        self.bands = tuple(bands) if bands is not None else self.scenes[0].bands
        for scene in self.scenes:
            if len(scene.bands) != len(self.scenes[0].bands) and bands is None:
                raise BandError(
                    f"{scene.path} has {len(scene.bands)} bands but {self.scenes[0].path} has "
                    f"{len(self.scenes[0].bands)}; use scenes with the same bands, "
                    "or choose bands by name."
                )
        self._by_name = bands is not None
        self._readers: dict[int, SceneReader] = {}
        self._res = self.scenes[0].pixel_size
        self.index = _build_index(self.scenes)

    def __getstate__(self) -> dict[str, object]:
        # Handles stay behind when a dataset moves to another process.
        return {**self.__dict__, "_readers": {}}

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
        if scene not in self._readers:
            bands = self.bands if self._by_name else None
            self._readers[scene] = SceneReader(self.scenes[scene], bands)
        return self._readers[scene].read(row, col, height, width)

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
        target = _target_grid(x, y, self.scenes[0], self.crs, self.res)
        height, width = (int(n) for n in target.shape)
        image = np.zeros((len(self.bands), height, width), np.float32)
        valid = np.zeros((height, width), bool)
        for number in numbers:
            patch = self._read_onto(number, target)
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

    def _read_onto(self, number: int, target: GeoBox) -> Patch:
        """Read one scene onto a target grid, without interpolation where the grids agree."""
        scene, shape = self.scenes[number], (int(target.shape[0]), int(target.shape[1]))
        source_from_target = compose(
            invert(matrix_from_affine(scene.geobox.affine)), matrix_from_affine(target.affine)
        )
        offset = source_from_target[:, 2].round()
        same_crs = scene.crs == target.crs
        if (
            same_crs
            and np.allclose(source_from_target[:, :2], np.eye(2), rtol=0, atol=1e-9 / max(shape))
            and np.allclose(source_from_target[:, 2], offset, rtol=0, atol=1e-3)
        ):
            return self.read(number, int(offset[1]), int(offset[0]), *shape)
        row, col, height, width = _covering_window(scene, target)
        patch = self.read(number, row, col, height, width)
        transform = scene.geobox.affine @ Affine.translation(col, row)
        grids = {
            "src_transform": transform,
            "src_crs": scene.crs.wkt,
            "dst_transform": target.affine,
            "dst_crs": _wkt(target),
        }
        image = np.zeros((len(patch.image), *shape), np.float32)
        weight = np.zeros(shape, np.float32)
        rasterio.warp.reproject(
            patch.image, image, resampling=Resampling.bilinear, init_dest_nodata=False, **grids
        )
        rasterio.warp.reproject(
            patch.valid.astype(np.float32), weight, resampling=Resampling.bilinear, **grids
        )
        # Invalid pixels are 0 in the image, so dividing by the weight undoes their share.
        valid = weight >= 0.5
        return Patch(
            np.where(valid, image / np.where(valid, weight, 1), 0).astype(np.float32), valid
        )


def find_scenes(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Expand files, folders and patterns to a list of files, sorted within each.

    Raises:
        SceneError: if nothing is found.
    """
    found: list[str] = []
    for path in [os.fspath(p) for p in paths]:
        if Path(path).is_dir():
            found += sorted(
                str(p) for p in Path(path).rglob("*") if p.suffix.lower() in RASTER_SUFFIXES
            )
        elif any(c in path for c in "*?[") and not Path(path).exists():
            found += sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - patterns may be absolute
        else:
            found.append(path)
    if not found:
        raise SceneError(
            f"No raster found at {', '.join(map(str, paths)) or 'an empty list of paths'}; "
            "give a file, a folder or a pattern."
        )
    return list(dict.fromkeys(found))


def _open_all(paths: list[str], *, strict: bool) -> tuple[Scene, ...]:
    def attempt(path: str) -> Scene | SceneError:
        try:
            return open_scene(path)
        except SceneError as error:
            return error

    with ThreadPoolExecutor(_OPENING_THREADS) as pool:
        results = list(pool.map(attempt, paths))
    failures = [r for r in results if isinstance(r, SceneError)]
    if failures and (strict or len(failures) == len(results)):
        raise failures[0]
    for failure in failures:
        warnings.warn(f"Left out: {failure}", SkippedSceneWarning, stacklevel=3)
    return tuple(r for r in results if isinstance(r, Scene))


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
    times = pd.IntervalIndex.from_arrays(
        [pd.Timestamp.min] * len(scenes),
        [pd.Timestamp.max] * len(scenes),
        closed="both",
        name="datetime",
    )
    return gpd.GeoDataFrame(
        {"filepath": [s.path for s in scenes], "scene": range(len(scenes))},
        index=times,
        geometry=list(geometry),
        crs=crs,
    )


def _target_grid(
    x: slice, y: slice, scene: Scene, crs: pyproj.CRS, res: tuple[float, float]
) -> GeoBox:
    """North-up grid over a slice, on the pixel corners of a scene where that is north-up too."""
    xres, yres = float(x.step or res[0]), float(y.step or res[1])
    a, b, left, d, e, top = scene.geobox.affine[:6]
    aligned = b == d == 0 and a == xres and abs(e) == yres and scene.crs == crs
    x0, y1 = float(x.start), float(y.stop)
    if aligned:
        x0 = left + round((x0 - left) / xres) * xres
        y1 = top + round((y1 - top) / yres) * yres
    width = max(1, round((x.stop - x.start) / xres))
    height = max(1, round((y.stop - y.start) / yres))
    return GeoBox((height, width), Affine(xres, 0, x0, 0, -yres, y1), crs)


def _covering_window(scene: Scene, target: GeoBox) -> tuple[int, int, int, int]:
    """Window (row, col, height, width) of a scene that covers a target grid, with a margin."""
    shape = (int(target.shape[0]), int(target.shape[1]))
    xy = corners(matrix_from_affine(target.affine), shape)
    box = (xy[:, 0].min(), xy[:, 1].min(), xy[:, 0].max(), xy[:, 1].max())
    if target.crs != scene.crs:
        box = rasterio.warp.transform_bounds(_wkt(target), scene.crs.wkt, *box, densify_pts=21)
    ring = np.array([[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]]])
    inverse = ~affine_from_matrix(matrix_from_affine(scene.geobox.affine))
    cols, rows = inverse @ (ring[:, 0], ring[:, 1])
    top, left = int(np.floor(min(rows))) - 2, int(np.floor(min(cols))) - 2
    bottom, right = int(np.ceil(max(rows))) + 2, int(np.ceil(max(cols))) + 2
    height, width = scene.shape
    top, left, bottom, right = max(top, 0), max(left, 0), min(bottom, height), min(right, width)
    return top, left, max(bottom - top, 1), max(right - left, 1)


def _wkt(grid: GeoBox) -> str:
    return "" if grid.crs is None else grid.crs.wkt
