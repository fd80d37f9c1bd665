"""Pairs of overlapping views, read from scenes."""

import os
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, get_worker_info
from torchgeo.datasets.utils import Sample

from sscl_geo.datasets.batch_memory import BatchMemory
from sscl_geo.datasets.cells import CellPixels, DecodedCells
from sscl_geo.datasets.pair_batch import PairBatch
from sscl_geo.datasets.reading_threads import ReadingThreads
from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.datasets.shared_batches import Layout, SharedBatches
from sscl_geo.errors import SceneError, SkippedPlaceWarning, WastedDecodingWarning
from sscl_geo.geometry.affine import compose, invert, matrix_from_affine
from sscl_geo.geometry.pair_index import PairIndex, Window
from sscl_geo.geometry.resample import is_window, resample_into
from sscl_geo.io.decoded_cache import DecodedCache

_WINDOW_STEP: Final = 16
"""Pixels; sides of windows are rounded up to a multiple of it."""


class PairDataset(Dataset[Sample]):
    """Read the views that an :class:`~sscl_geo.samplers.overlap_pairs.OverlapPairSampler` drew.

    The sampler names with each pair the cell of the scene that it and others lie in. A cell is
    decoded once, and kept while pairs are drawn from it, so that a block of a compressed file is
    decoded once for many pairs in several batches; the index says how many cells to keep. A view on
    its scene's own grid is a copy of the pixels; only zoom and rotation interpolate.

    Args:
        scenes: the scenes.
        size: (height, width) of a view in pixels, or one number for both; as in the sampler.
        transforms: applied to each sample.
        cache: folder on a local disk for decoded copies of the scenes, worth their space (that of
            the raw pixels) where a training passes over compressed scenes many times; none if
            None.
        threads: threads that read and cut the cells of a batch; as many as there are cores, up to
            four, if None, and one in the workers of a data loader.
        windows: deliver the windows of scene pixels that views are cut from, in the type of the
            files, with the matrix ``view_to_window``, for a
            :class:`~sscl_geo.transforms.views.ViewAugmentation` to do all interpolation at once
            on the device; by default zoomed and rotated views are resampled here.

    Example:
        >>> from sscl_geo import OverlapPairSampler, PairDataset, SceneDataset
        >>> scenes = SceneDataset(scene_path)
        >>> sampler = OverlapPairSampler(scenes, size=32, length=4)
        >>> pair = PairDataset(scenes, size=32)[next(iter(sampler))]
        >>> pair["image"].shape, pair["valid"].shape, pair["pixel_to_map"].shape
        (torch.Size([2, 3, 32, 32]), torch.Size([2, 32, 32]), torch.Size([2, 2, 3]))
    """

    def __init__(
        self,
        scenes: SceneDataset,
        size: tuple[int, int] | int,
        transforms: Callable[[Sample], Sample] | None = None,
        cache: str | os.PathLike[str] | None = None,
        threads: int | None = None,
        windows: bool = False,
    ) -> None:
        self.scenes = scenes
        self.size = (size, size) if isinstance(size, int) else size
        self.transforms = transforms
        self.cache = None if cache is None else DecodedCache(Path(cache))
        self.threads = threads
        self.windows = windows
        self._start()

    def _start(self) -> None:
        self._cells = DecodedCells(self.scenes)
        self._memory = BatchMemory()
        self._shared = SharedBatches()
        self._mapped: dict[int, CellPixels] = {}
        self._mapping = threading.Lock()
        self._threads = ReadingThreads()
        self._order_checked = False

    def __getstate__(self) -> dict[str, object]:
        # Threads cannot be pickled, and a mapped file would be with all its bytes.
        state = self.__dict__.copy()
        for name in ("_cells", "_memory", "_shared", "_mapped", "_mapping", "_threads"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._start()

    def __getitem__(self, index: PairIndex) -> Sample:
        """Read one pair.

        Args:
            index: what the sampler drew.

        Returns:
            ``image`` float32 (views, C, H, W), raw values, 0 where invalid; ``valid`` bool
            (views, H, W); ``pixel_to_map`` float64 (views, 2, 3), from view pixels to map
            coordinates of the first view's scene; ``scene`` int64 (views,), their numbers;
            ``skipped`` bool, always False here, and ``failed`` int64, always -1. With ``windows``
            the first three are those of windows, as large as the largest in the batch, and
            ``view_to_window`` float64 (views, 2, 3) is there unless views are whole windows.

        Raises:
            SceneError: if the file cannot be read.
        """
        return self.__getitems__([index])[0]

    def __getitems__(self, indexes: Sequence[PairIndex]) -> Sequence[Sample]:
        """Read a batch, as PyTorch's loader asks for it: the pairs of each cell together.

        A place that cannot be decoded is left out with a :class:`SkippedPlaceWarning`, and other
        pairs of the batch stand in for its own, marked by ``skipped`` and by ``failed``, the number
        of the scene that could not be read: one bad block in a thousand scenes does not end a long
        training, and batches keep their size.

        Returns:
            the samples; without transforms a :class:`PairBatch`, which is stacked already.

        Raises:
            SceneError: if no pair of the batch can be read.
        """
        if not self._order_checked and get_worker_info() is not None:
            self._order_checked = True
            _check_order(indexes)
        to_scene = np.stack([index.pixel_to_scene for index in indexes])
        size, views = self.size, to_scene
        if self.windows:
            to_scene, size = _windows_around(np.stack([index.windows for index in indexes]), views)
        batch = self._allocate((*to_scene.shape[:2], len(self.scenes.bands), *size))
        if self.windows and not is_window(views).all():
            batch["view_to_window"] = torch.from_numpy(compose(invert(to_scene), views))
        places: dict[tuple[object, ...], list[int]] = {}
        for place, index in enumerate(indexes):
            places.setdefault((index.scenes, index.cells), []).append(place)
        image, valid = batch["image"].numpy(), batch["valid"].numpy()
        to_cell = to_scene.copy()
        if self.cache is None:
            to_cell[..., 2] -= np.array([index.cells for index in indexes])[..., 1::-1]
        read = partial(self._read_places, indexes, to_cell, image, valid)
        # What must be decoded first: the rest is quick, and keeps all threads busy to the end.
        groups = sorted(places.values(), key=lambda group: self._is_decoded(indexes[group[0]]))
        threads = self.threads if self.threads is not None else _default_threads()
        failures = [failure for failure in self._threads.map(read, groups, threads) if failure]
        ended = {key for i in indexes if i.ends for key in zip(i.scenes, i.cells, strict=True)}
        self._cells.trim(indexes[0].keep, ended)
        batch |= self._describe(indexes, to_scene)
        if failures:
            _stand_in(batch, failures)
        samples = PairBatch(batch)
        return samples if self.transforms is None else [self.transforms(s) for s in samples]

    def _allocate(self, shape: tuple[int, int, int, int, int]) -> Sample:
        """Memory for the images and masks of a whole batch at once."""
        pairs, views, _, height, width = shape
        dtype = np.dtype(np.float32)
        if self.windows:
            own = np.result_type(*{np.dtype(scene.dtype) for scene in self.scenes.scenes})
            dtype = own if own != np.float64 else dtype
        layout: Layout = {
            "image": (shape, dtype),
            "valid": ((pairs, views, height, width), np.dtype(bool)),
        }
        if get_worker_info() is not None:
            return self._shared.empty(layout)
        return {key: torch.from_numpy(self._memory.empty(*of)) for key, of in layout.items()}

    def _read_places(
        self,
        indexes: Sequence[PairIndex],
        to_cell: NDArray[np.float64],
        image: NDArray[Any],
        valid: NDArray[np.bool_],
        places: list[int],
    ) -> "_Failure | None":
        """Decode a cell of each scene, and cut from it the views of some places of the batch."""
        first = indexes[places[0]]
        for scene, cell in dict(zip(first.scenes, first.cells, strict=True)).items():
            views = [view for view, number in enumerate(first.scenes) if number == scene]
            try:
                with self._open(scene, cell) as (pixels, mask, complete):
                    resample_into(
                        [(image[at], valid[at]) for at in product(places, views)],
                        pixels,
                        mask,
                        to_cell[places][:, views].reshape(-1, 2, 3),
                        complete=complete,
                    )
            except SceneError as error:
                return _Failure(places, scene, error)
        return None

    def _is_decoded(self, index: PairIndex) -> bool:
        cells = zip(index.scenes, index.cells, strict=True)
        return self.cache is not None or all(cell in self._cells for cell in cells)

    @contextmanager
    def _open(self, scene: int, cell: Window) -> Generator[CellPixels]:
        """The pixels of a cell or, with a cache, of its whole scene."""
        if self.cache is None:
            with self._cells.open(scene, cell) as patch:
                yield patch
            return
        with self._mapping:
            if scene not in self._mapped:
                whole = self.cache.open(self.scenes.reader(scene))
                self._mapped[scene] = CellPixels(*whole, complete=False)
        yield self._mapped[scene]

    def _describe(self, indexes: Sequence[PairIndex], to_scene: NDArray[np.float64]) -> Sample:
        scenes = np.array([index.scenes for index in indexes])
        numbers, at = np.unique(scenes, return_inverse=True)
        to_map = np.stack(
            [matrix_from_affine(self.scenes.scenes[s].geobox.affine) for s in numbers.tolist()]
        )
        return {
            "pixel_to_map": torch.from_numpy(compose(to_map[at.reshape(scenes.shape)], to_scene)),
            "scene": torch.from_numpy(scenes),
            "skipped": torch.zeros(len(indexes), dtype=torch.bool),
            "failed": torch.full((len(indexes),), -1),
        }


class _Failure(NamedTuple):
    places: list[int]
    scene: int
    error: SceneError


def _stand_in(batch: Sample, failures: Sequence[_Failure]) -> None:
    """Put other pairs of the batch in the places that could not be read, and mark them."""
    for failure in failures:
        batch["failed"][failure.places] = failure.scene
    batch["skipped"] = batch["failed"] >= 0
    good, bad = (np.flatnonzero(batch["skipped"].numpy() == lost) for lost in (False, True))
    if not len(good):
        raise failures[0].error
    for failure in failures:
        warnings.warn(f"Skipped a place: {failure.error}", SkippedPlaceWarning, stacklevel=3)
    for key in batch.keys() - {"failed", "skipped"}:
        values = batch[key].numpy()  # PyTorch cannot index uint16
        values[bad] = values[good[bad % len(good)]]


def _check_order(indexes: Sequence[PairIndex]) -> None:
    """Warn if the pairs of a cell go to several workers, each of which decodes it."""
    worker, loader = get_worker_info(), indexes[0].loader
    # One of the workers speaks for all.
    if worker is None or loader is None or worker.id > 0 or worker.num_workers == 1:
        return
    workers, batch_size = loader
    if workers != worker.num_workers or len(indexes) > batch_size:
        warnings.warn(
            f"{worker.num_workers} workers decode the same cells, since the sampler's order is for "
            f"batches of {batch_size} and num_workers={workers}; give OverlapPairSampler "
            f"batch_size={len(indexes)} and num_workers={worker.num_workers}, as the DataLoader.",
            WastedDecodingWarning,
            stacklevel=3,
        )


def _windows_around(
    windows: NDArray[np.int64], views: NDArray[np.float64]
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Windows of one size about views, as matrices (..., 2, 3) to scene pixels, and that size.

    Args:
        windows: int64 of shape (..., 4): row, col, height, width that each view covers.
        views: float64 of shape (..., 2, 3), from view pixels to scene pixels.
    """
    size = windows[..., 2:].reshape(-1, 2).max(axis=0)
    if not is_window(views).all():
        # Bilinear interpolation at a view's edge needs the next pixel beyond it. Few sizes, so that
        # a GPU's memory is used again.
        size = -(-(size + 2) // _WINDOW_STEP) * _WINDOW_STEP
    corner = windows[..., :2] - (size - windows[..., 2:]) // 2
    matrices = np.zeros_like(views)
    matrices[..., :2] = np.eye(2)
    matrices[..., 2] = corner[..., ::-1]
    height, width = size.tolist()
    return matrices, (height, width)


def _default_threads() -> int:
    """A thread for each core, up to four; one in the workers of a data loader."""
    return 1 if get_worker_info() is not None else min(4, os.cpu_count() or 1)
