"""Drawing pairs of overlapping views by map coordinates."""

from collections.abc import Iterator
from functools import cached_property
from math import ceil

import geopandas as gpd
import numpy as np
import torch.distributed
from numpy.typing import NDArray
from shapely import Polygon
from shapely.geometry.base import BaseGeometry
from torchgeo.samplers import SpatialSampler

from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.errors import SamplingError
from sscl_geo.geometry.affine import matrix_from_affine
from sscl_geo.geometry.footprint import OverlapOf, corners
from sscl_geo.geometry.pair_index import PairIndex
from sscl_geo.io.scene import Scene
from sscl_geo.io.validity import ValidityTable, validity_table
from sscl_geo.samplers.draw import ViewRanges, bounding_windows, draw_pairs

_CANDIDATES_PER_PAIR = 8
_MAX_CANDIDATES = 4096
_FRUITLESS_DRAWS = 50


class OverlapPairSampler(SpatialSampler):
    """Draw pairs of views whose footprints overlap on the ground by a share in a given range.

    Views are drawn on each scene's own pixel grid, so nothing is blurred by resampling to a common
    grid; scenes are visited in proportion to their areas. What is drawn is a function of
    ``seed``, the epoch and the rank alone. Each rank of a distributed run draws its own pairs,
    the same number on each.

    Args:
        dataset: the scenes.
        size: (height, width) of a view in pixels, or one number for both.
        length: number of pairs in an epoch, over all ranks.
        overlap: least and greatest share of ground that the views have in common, 0 to 1.
        overlap_of: ``"smaller"``: share of the smaller view's area; ``"union"``: intersection over
            union.
        zoom: least and greatest ground sampling distance of a view, in pixels of its scene: 2
            covers twice the ground in each direction at half the resolution.
        rotation: greatest rotation of a view against its scene, in degrees on the ground.
        min_valid: least share of valid pixels in each view, 0 to 1, counted from the scene's mask.
        roi: region to draw from, in the CRS of ``dataset``; a view's centre lies within.
        seed: seed of the draw.

    Raises:
        SamplingError: if an option is out of range, or when no pair satisfies them all.

    Example:
        >>> from sscl_geo import OverlapPairSampler, SceneDataset
        >>> dataset = SceneDataset(scene_path)
        >>> sampler = OverlapPairSampler(dataset, size=32, length=4, overlap=(0.4, 0.8))
        >>> [index.window for index in sampler] == [index.window for index in sampler]
        True
    """

    strategy = "random"

    def __init__(
        self,
        dataset: SceneDataset,
        *,
        size: tuple[int, int] | int,
        length: int,
        overlap: tuple[float, float] = (0.3, 1.0),
        overlap_of: OverlapOf = "smaller",
        zoom: tuple[float, float] = (1.0, 1.0),
        rotation: float = 0.0,
        min_valid: float = 0.5,
        roi: Polygon | None = None,
        seed: int = 0,
    ) -> None:
        # Not super().__init__: it unites all footprints, seconds for 10,000 scenes, for roi alone.
        self.index = dataset.index
        self.bounds = tuple(dataset.index.total_bounds)
        self.res = dataset.res
        self.roi = roi
        height, width = (size, size) if isinstance(size, int) else size
        self.ranges = ViewRanges((height, width), overlap, overlap_of, zoom, rotation)
        _check(self.ranges, min_valid, length)
        self.scenes = dataset.scenes
        self.min_valid = min_valid
        self.seed = seed
        self.epoch = 0
        self._total = length
        self._validity: tuple[ValidityTable | None, ...] = tuple(
            validity_table(scene, dataset.bands if scene.bands != dataset.bands else None)
            if min_valid > 0
            else None
            for scene in self.scenes
        )
        area = np.array([float(np.prod(scene.shape)) for scene in self.scenes])
        fits = np.array([_fits(scene, self.ranges) for scene in self.scenes])
        if not fits.any():
            raise SamplingError(
                f"No scene is as large as a view of {height} x {width} pixels"
                f"{f' at zoom {zoom[0]:g}' if zoom[0] != 1 else ''}; the largest is "
                f"{' x '.join(map(str, max(s.shape for s in self.scenes)))}: use a smaller size."
            )
        self._share = area * fits / (area * fits).sum()

    @cached_property
    def geometry(self) -> BaseGeometry:
        """Ground that pairs are drawn from, in the CRS of the dataset."""
        ground = self.index.geometry.union_all()
        return ground if self.roi is None else ground & self.roi

    def __len__(self) -> int:
        """Number of pairs in an epoch on each rank."""
        return ceil(self._total / _world()[1])

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose pairs the next iteration draws; Lightning calls it."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[PairIndex]:  # ty: ignore[incompatible-method-override]
        """Draw the pairs of the current epoch for this rank.

        Yields:
            indexes for :class:`~sscl_geo.datasets.pairs.PairDataset`.

        Raises:
            SamplingError: if many draws in a row give no pair.
        """
        rng = np.random.default_rng([self.seed, self.epoch, _world()[0]])
        order = rng.choice(len(self.scenes), size=len(self), p=self._share)
        wanted = np.bincount(order, minlength=len(self.scenes))
        stores: dict[int, list[PairIndex]] = {}
        for scene in order.tolist():
            store = stores.setdefault(scene, [])
            if not store:
                store.extend(self._draw(scene, int(wanted[scene]), rng))
            wanted[scene] -= 1
            yield store.pop()

    def _draw(self, number: int, wanted: int, rng: np.random.Generator) -> list[PairIndex]:
        """Draw up to ``wanted`` pairs, at least one, in one scene."""
        scene = self.scenes[number]
        ground = _ground(scene)
        count = min(_MAX_CANDIDATES, _CANDIDATES_PER_PAIR * wanted)
        for _ in range(_FRUITLESS_DRAWS):
            drawn = draw_pairs(rng, count, self.ranges, scene.shape, ground)
            count = _MAX_CANDIDATES
            drawn = self._keep_valid(number, drawn)
            if self.roi is not None:
                drawn = self._keep_inside(number, drawn)
            if len(drawn):
                return self._to_indexes(number, drawn[:wanted])
        raise SamplingError(
            f"No pair found in {scene.path} with overlap {self.ranges.overlap[0]:g} to "
            f"{self.ranges.overlap[1]:g} and at least {self.min_valid:.0%} valid pixels in each "
            "view; widen the overlap, lower min_valid, or use smaller views."
        )

    def _keep_valid(self, number: int, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        table = self._validity[number]
        if table is None:
            return drawn
        windows = bounding_windows(drawn, self.ranges.size)
        share = table.valid_share(*np.moveaxis(windows, -1, 0))
        return drawn[(share >= self.min_valid).all(axis=1)]

    def _keep_inside(self, number: int, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        height, width = self.ranges.size
        centers = drawn[..., :2] @ np.array([width / 2, height / 2]) + drawn[..., 2]
        to_map = matrix_from_affine(self.scenes[number].geobox.affine)
        xy = (centers @ to_map[:, :2].T + to_map[:, 2]).reshape(-1, 2)
        points = gpd.GeoSeries(
            gpd.points_from_xy(xy[:, 0], xy[:, 1]), crs=self.scenes[number].crs.wkt
        ).to_crs(self.index.crs)
        return drawn[points.within(self.geometry).to_numpy().reshape(-1, 2).all(axis=1)]

    def _to_indexes(self, number: int, drawn: NDArray[np.float64]) -> list[PairIndex]:
        to_map = matrix_from_affine(self.scenes[number].geobox.affine)
        windows = bounding_windows(drawn, self.ranges.size)
        low = windows[..., :2].min(axis=1)
        high = (windows[..., :2] + windows[..., 2:]).max(axis=1)
        union = np.concatenate([low, high - low], axis=1)
        xy = np.stack(
            [corners(_shifted(to_map, row, col), (h, w)) for row, col, h, w in union.tolist()]
        )
        (x0, y0), (x1, y1) = xy.min(axis=1).T.tolist(), xy.max(axis=1).T.tolist()
        return [
            PairIndex((slice(x0[i], x1[i]), slice(y0[i], y1[i])), number, tuple(window), matrices)
            for i, (window, matrices) in enumerate(zip(union.tolist(), [*drawn], strict=True))
        ]


def _shifted(to_map: NDArray[np.float64], row: int, col: int) -> NDArray[np.float64]:
    shifted = to_map.copy()
    shifted[:, 2] += to_map[:, :2] @ [col, row]
    return shifted


def _ground(scene: Scene) -> NDArray[np.float64]:
    """Linear part of a transform in units of equal length east and north."""
    linear = matrix_from_affine(scene.geobox.affine)[:, :2]
    if scene.crs.geographic:
        height, width = scene.shape
        latitude = (scene.geobox.affine @ (width / 2, height / 2))[1]
        linear = np.diag([np.cos(np.radians(latitude)), 1.0]) @ linear
    return linear


def _fits(scene: Scene, ranges: ViewRanges) -> bool:
    return all(
        max(round(side * ranges.zoom[0]), 1) <= limit
        for side, limit in zip(ranges.size, scene.shape, strict=True)
    )


def _world() -> tuple[int, int]:
    """(rank, number of ranks) of a distributed run."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def _check(ranges: ViewRanges, min_valid: float, length: int) -> None:
    least, greatest = ranges.overlap
    if not 0 <= least <= greatest <= 1:
        raise SamplingError(
            f"An overlap of {least:g} to {greatest:g} is impossible; give two shares with "
            "0 <= least <= greatest <= 1."
        )
    if not 0 < ranges.zoom[0] <= ranges.zoom[1]:
        raise SamplingError(
            f"A zoom of {ranges.zoom[0]:g} to {ranges.zoom[1]:g} is impossible; give two factors "
            "with 0 < least <= greatest."
        )
    if not 0 <= min_valid <= 1:
        raise SamplingError(f"min_valid is {min_valid:g}; give a share between 0 and 1.")
    if min(ranges.size) < 1 or length < 1:
        raise SamplingError(
            f"Views of {ranges.size[0]} x {ranges.size[1]} pixels, {length} an epoch, cannot be "
            "drawn; give a size and a length of at least 1."
        )
