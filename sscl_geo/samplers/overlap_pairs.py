"""Drawing pairs of overlapping views by map coordinates."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from itertools import islice
from math import ceil

import numpy as np
import shapely
import torch.distributed
from shapely import Polygon
from shapely.geometry.base import BaseGeometry
from torch.utils.data import DistributedSampler
from torchgeo.samplers import SpatialSampler

from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.errors import SamplingError
from sscl_geo.geometry.footprint import OverlapOf
from sscl_geo.geometry.pair_index import PairIndex
from sscl_geo.io.scene import Scene
from sscl_geo.samplers.draw import ViewRanges
from sscl_geo.samplers.order import deal, take_turns
from sscl_geo.samplers.places import PlaceDrawer

_FRUITLESS_VISITS = 200
_CELL_IN_VIEWS = 4


class OverlapPairSampler(SpatialSampler, DistributedSampler):
    """Draw pairs of views whose footprints overlap on the ground by a share in a given range.

    Views are drawn on each scene's own pixel grid, so nothing is blurred by resampling to a common
    grid. The sampler visits cells, windows of a few views' width that start on a block of the
    file, in scenes chosen by area, and draws several pairs at each visit. Many visits take turns:
    a cell is decoded once for all its pairs, and a batch still mixes many cells.

    The pairs of an epoch are a function of ``seed`` and the epoch's number alone. The ranks of a
    distributed run share its visits out among them, so that together they draw what one process
    would, and all draw equally many pairs. Lightning leaves the sampler as it is, since it is a
    ``DistributedSampler`` already. The order depends on ``batch_size`` and ``num_workers``, so
    that the pairs of a cell all go to one worker of the data loader.

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
        views: number of views of a place; each further one overlaps the first.
        min_valid: least share of valid pixels in each view, 0 to 1, counted from the scene's mask.
        max_time_apart: views may come from two scenes of the same ground and CRS this far apart;
            all views of a pair come from one scene if None.
        pairs_per_cell: pairs drawn at each visit.
        cell: side of a cell in pixels; four times the largest view if None.
        cells: greatest number of cells that are drawn from in turn, and kept decoded meanwhile.
        cell_cache: greatest memory for them in each reading process, in bytes; the default holds
            32 cells of 1,024 x 1,024 pixels with 7 bands of 16 bits.
        batch_size: pairs that the data loader puts in a batch, if it has workers. A sampler cannot
            see this; with another number than the loader's, several workers decode each cell, of
            which :class:`~sscl_geo.datasets.pairs.PairDataset` warns.
        num_workers: workers of the data loader; as above.
        roi: region to draw from, in the CRS of ``dataset``; a view's centre lies within. The
            dataset's area of interest if None.
        seed: seed of the draw.

    Raises:
        SamplingError: if an option is out of range, or when no pair satisfies them all.

    Example:
        >>> from sscl_geo import OverlapPairSampler, SceneDataset
        >>> dataset = SceneDataset(scene_path)
        >>> sampler = OverlapPairSampler(dataset, size=32, length=4, overlap=(0.4, 0.8))
        >>> [index.scenes for index in sampler]
        [(0, 0), (0, 0), (0, 0), (0, 0)]
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
        views: int = 2,
        min_valid: float = 0.5,
        max_time_apart: timedelta | None = None,
        pairs_per_cell: int = 16,
        cell: int | None = None,
        cells: int = 32,
        cell_cache: int = 512 * 2**20,
        batch_size: int = 1,
        num_workers: int = 0,
        roi: Polygon | None = None,
        seed: int = 0,
    ) -> None:
        # Not super().__init__: TorchGeo's unites all footprints, seconds for 10,000 scenes, and
        # PyTorch's wants a dataset with a length.
        height, width = (size, size) if isinstance(size, int) else size
        self.ranges = ViewRanges((height, width), overlap, overlap_of, zoom, rotation, views)
        _check(self.ranges, min_valid, length, min(pairs_per_cell, cells, batch_size))
        self.index = dataset.index
        self.bounds = tuple(dataset.index.total_bounds)
        self.res = dataset.res
        self.roi = roi if roi is not None else getattr(dataset, "aoi", None)
        self.seed = seed
        self.epoch = 0
        self.pairs_per_cell = pairs_per_cell
        self.batch_size = batch_size
        self.num_workers = num_workers
        self._total = length
        self._start = 0
        largest = ceil(max(height, width) * zoom[1])
        side = _CELL_IN_VIEWS * largest if cell is None else max(cell, largest)
        self._drawer = PlaceDrawer(dataset, self.ranges, min_valid, self.roi, side, max_time_apart)
        at_once = 1 if max_time_apart is None else 2
        self.cells = max(1, min(cells, cell_cache // (_cell_bytes(dataset, side) * at_once)))
        self._keep = self.cells * at_once
        area = np.array([float(np.prod(scene.shape)) for scene in dataset.scenes])
        area *= np.array([_fits(scene, self.ranges) for scene in dataset.scenes])
        if not area.any():
            raise SamplingError(
                f"No scene is as large as a view of {height} x {width} pixels"
                f"{f' at zoom {zoom[0]:g}' if zoom[0] != 1 else ''}; the largest is "
                f"{' x '.join(map(str, max(s.shape for s in dataset.scenes)))}: "
                "use a smaller size."
            )
        if self.roi is not None:
            ground = dataset.index.geometry.to_numpy()
            area *= shapely.area(shapely.intersection(ground, self.roi)) / shapely.area(ground)
        self._cumulative_area = np.cumsum(area) / area.sum()

    @cached_property
    def geometry(self) -> BaseGeometry:
        """Ground that pairs are drawn from, in the CRS of the dataset."""
        ground = self.index.geometry.union_all()
        return ground if self.roi is None else ground & self.roi

    @property
    def coarsest(self) -> float:
        """Greatest size of a view's pixels, in pixels of the scene that it shows."""
        return self.ranges.zoom[1] * self._drawer.greatest_ratio

    def __len__(self) -> int:
        """Number of pairs in an epoch on each rank."""
        return ceil(self._total / _world()[1])

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose pairs the next iteration draws; Lightning calls it."""
        self.epoch = epoch

    def skip(self, pairs: int) -> None:
        """Let the next iteration, and only it, start after this many pairs of this rank.

        For going on in the middle of an epoch: the pairs that follow are those that an unbroken
        run would have drawn. The length stays that of a whole epoch, which is what Lightning
        counts its batches against when it resumes.

        Raises:
            SamplingError: if an epoch has fewer pairs.
        """
        if not 0 <= pairs <= len(self):
            raise SamplingError(
                f"Cannot skip {pairs} of {len(self)} pairs; resume with the length that the "
                "run was started with."
            )
        self._start = pairs

    def __iter__(self) -> Iterator[PairIndex]:  # ty: ignore[incompatible-method-override]
        """Draw the pairs of the current epoch for this rank.

        Yields:
            indexes for :class:`~sscl_geo.datasets.pairs.PairDataset`.

        Raises:
            SamplingError: if many visits in a row give no pair.
        """
        rank, ranks = _world()
        start, self._start = self._start, 0
        visits = range(rank, ceil(len(self) / self.pairs_per_cell) * ranks, ranks)
        workers = max(1, self.num_workers)
        turns = [
            take_turns(visits[worker::workers], self.pairs_per_cell, self.cells)
            for worker in range(workers)
        ]
        drawn: dict[int, list[PairIndex]] = {}
        for visit, pair in islice(deal(turns, self.batch_size), start, len(self)):
            if visit not in drawn:
                drawn[visit] = self._visit(visit)
            yield drawn[visit][pair]
            if pair == self.pairs_per_cell - 1:
                del drawn[visit]

    def _visit(self, number: int) -> list[PairIndex]:
        """Pairs of one visit, always equally many, as a function of seed, epoch and number."""
        rng = np.random.default_rng([self.seed, self.epoch, number])
        found: list[PairIndex] = []
        for _ in range(_FRUITLESS_VISITS):
            scene = int(np.searchsorted(self._cumulative_area, rng.random(), side="right"))
            left = self.pairs_per_cell - len(found)
            found += self._drawer.draw(rng, scene, left, self._keep)
            if len(found) == self.pairs_per_cell:
                for index in found:
                    index.loader = (max(1, self.num_workers), self.batch_size)
                for last in {index.cells: index for index in found}.values():
                    last.ends = True
                return found
        raise SamplingError(
            f"No pair found with overlap {self.ranges.overlap[0]:g} to "
            f"{self.ranges.overlap[1]:g} and at least {self._drawer.min_valid:.0%} valid pixels in "
            "each view; widen the overlap, lower min_valid, use smaller views, or check the area "
            "of interest."
        )


def _fits(scene: Scene, ranges: ViewRanges) -> bool:
    return all(
        max(round(side * ranges.zoom[0]), 1) <= limit
        for side, limit in zip(ranges.size, scene.shape, strict=True)
    )


def _cell_bytes(dataset: SceneDataset, side: int) -> int:
    """Memory for the pixels and the mask of a decoded cell."""
    itemsize = max(np.dtype(scene.dtype).itemsize for scene in dataset.scenes)
    return side * side * (len(dataset.bands) * itemsize + 1)


def _world() -> tuple[int, int]:
    """(rank, number of ranks) of a distributed run."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def _check(ranges: ViewRanges, min_valid: float, length: int, least_count: int) -> None:
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
    if min(*ranges.size, length, least_count) < 1 or ranges.views < 2:
        raise SamplingError(
            f"{length} pairs of {ranges.views} views of {ranges.size[0]} x {ranges.size[1]} "
            "pixels cannot be drawn; give at least 2 views, and at least 1 for size, length, "
            "pairs_per_cell, cells and batch_size."
        )
