"""Pairs of overlapping views, read from scenes."""

import os
import warnings
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from torchgeo.datasets.utils import Sample

from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.errors import SceneError, SkippedPlaceWarning
from sscl_geo.geometry.affine import compose, matrix_from_affine, translation
from sscl_geo.geometry.pair_index import PairIndex
from sscl_geo.geometry.resample import is_window, resample_into
from sscl_geo.io.decoded_cache import DecodedCache
from sscl_geo.io.reading import RawPatch


class Views(NamedTuple):
    """Pixels of the views of several pairs.

    Attributes:
        image: float32 of shape (pairs, views, C, H, W).
        valid: bool of shape (pairs, views, H, W).
    """

    image: NDArray[np.float32]
    valid: NDArray[np.bool_]

    def part(self, start: int, stop: int) -> Self:
        """Views of some of the pairs, sharing memory."""
        return type(self)(self.image[start:stop], self.valid[start:stop])


class PairDataset(Dataset[Sample]):
    """Read the views that an :class:`~sscl_geo.samplers.overlap_pairs.OverlapPairSampler` drew.

    All views of a pair are cut from one read of the ground that they cover together, and a data
    loader's batch reads the pairs of one visit together, so that a block of a compressed file is
    decoded once for many pairs. A view on its scene's own grid is a copy of the pixels; only zoom
    and rotation interpolate.

    Args:
        scenes: the scenes.
        size: (height, width) of a view in pixels, or one number for both; as in the sampler.
        transforms: applied to each sample.
        cache: folder on a local disk for decoded copies of the scenes, worth their space (that of
            the raw pixels) where a training passes over compressed scenes many times; none if
            None.

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
    ) -> None:
        self.scenes = scenes
        self.size = (size, size) if isinstance(size, int) else size
        self.transforms = transforms
        self.cache = None if cache is None else DecodedCache(Path(cache))
        self._decoded: dict[int, RawPatch] = {}

    def __getstate__(self) -> dict[str, object]:
        # A mapped file would be pickled with all its bytes.
        return {**self.__dict__, "_decoded": {}}

    def __getitem__(self, index: PairIndex) -> Sample:
        """Read one pair.

        Args:
            index: what the sampler drew.

        Returns:
            ``image`` float32 (views, C, H, W), raw values, 0 where invalid; ``valid`` bool
            (views, H, W); ``pixel_to_map`` float64 (views, 2, 3), from view pixels to map
            coordinates of the first view's scene; ``scene`` int64 (views,), their numbers;
            ``skipped`` bool, always False here.

        Raises:
            SceneError: if the file cannot be read.
        """
        views = self._allocate(1, len(index.scenes))
        self._read_visit([index], views)
        return self._sample(index, views, 0)

    def __getitems__(self, indexes: Sequence[PairIndex]) -> list[Sample]:
        """Read a batch, as PyTorch's loader asks for it: the pairs of each visit together.

        A place that cannot be decoded is left out with a :class:`SkippedPlaceWarning`, and other
        pairs of the batch stand in for its own, marked by ``skipped``: one bad block in a
        thousand scenes does not end a long training, and batches keep their size.

        Raises:
            SceneError: if no pair of the batch can be read.
        """
        views = self._allocate(len(indexes), len(indexes[0].scenes))
        good: list[int] = []
        failure: SceneError | None = None
        start = 0
        for _, visit in groupby(indexes, key=lambda index: index.visit):
            group = list(visit)
            places = range(start, start + len(group))
            start = places.stop
            try:
                self._read_visit(group, views.part(places.start, start))
                good += places
            except SceneError as error:
                warnings.warn(f"Skipped a place: {error}", SkippedPlaceWarning, stacklevel=2)
                failure = error
        if failure is not None and not good:
            raise failure
        samples = []
        read = set(good)
        for place in range(len(indexes)):
            stand_in = place if place in read else good[place % len(good)]
            if stand_in != place:
                views.image[place], views.valid[place] = (
                    views.image[stand_in],
                    views.valid[stand_in],
                )
            sample = self._sample(indexes[stand_in], views, place)
            samples.append({**sample, "skipped": torch.tensor(data=stand_in != place)})
        return samples

    def _allocate(self, pairs: int, views: int) -> Views:
        """Memory for the views of a whole batch at once.

        Large arrays get huge pages, which makes touching them for the first time five times
        cheaper than as many small ones; it would cost more than cutting the views.
        """
        shape = (pairs, views, len(self.scenes.bands), *self.size)
        return Views(np.empty(shape, np.float32), np.empty((pairs, views, *self.size), bool))

    def _read_visit(self, indexes: Sequence[PairIndex], views: Views) -> None:
        """Read pairs that lie close together with one read a scene."""
        patches: dict[int, tuple[RawPatch, int, int]] = {}
        for scene in dict.fromkeys(s for index in indexes for s in index.scenes):
            chosen = [
                (index.windows[view], index.pixel_to_scene[view])
                for index in indexes
                for view, number in enumerate(index.scenes)
                if number == scene
            ]
            row, col, height, width = _union(np.stack([window for window, _ in chosen]))
            if not all(is_window(matrix) for _, matrix in chosen):
                # Bilinear interpolation at a view's edge needs the next pixel beyond it.
                row, col, height, width = row - 1, col - 1, height + 2, width + 2
            patches[scene] = self._read(scene, row, col, height, width)
        for number, index in enumerate(indexes):
            for view, scene in enumerate(index.scenes):
                patch, row, col = patches[scene]
                to_patch = compose(translation(-col, -row), index.pixel_to_scene[view])
                image, valid = views.image[number, view], views.valid[number, view]
                resample_into(image, valid, patch.pixels, patch.valid, to_patch)

    def _read(
        self, scene: int, row: int, col: int, height: int, width: int
    ) -> tuple[RawPatch, int, int]:
        """A patch that holds a window, and the (row, col) of its first pixel in the scene."""
        if self.cache is None:
            return self.scenes.read_raw(scene, row, col, height, width), row, col
        if scene not in self._decoded:
            self._decoded[scene] = self.cache.open(self.scenes.reader(scene))
        return self._decoded[scene], 0, 0

    def _sample(self, index: PairIndex, views: Views, place: int) -> Sample:
        to_map = np.stack(
            [matrix_from_affine(self.scenes.scenes[s].geobox.affine) for s in index.scenes]
        )
        sample: Sample = {
            "image": torch.from_numpy(views.image)[place],
            "valid": torch.from_numpy(views.valid)[place],
            "pixel_to_map": torch.from_numpy(compose(to_map, index.pixel_to_scene)),
            "scene": torch.tensor(index.scenes),
            "skipped": torch.tensor(data=False),
        }
        return self.transforms(sample) if self.transforms is not None else sample


def collate_pairs(samples: Sequence[Sample]) -> Sample:
    """Stack samples as TorchGeo's ``stack_samples`` does, without copying where they lie together.

    The samples of one batch of :class:`PairDataset` share one block of memory, in order, which is
    the stacked batch already.
    """
    return {key: _stacked([sample[key] for sample in samples]) for key in samples[0]}


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    first = tensors[0]
    step = first.numel() * first.element_size()
    storage = first.untyped_storage().data_ptr()
    if first.is_contiguous() and all(
        t.data_ptr() == first.data_ptr() + i * step and t.untyped_storage().data_ptr() == storage
        for i, t in enumerate(tensors)
    ):
        return first.as_strided((len(tensors), *first.shape), (first.numel(), *first.stride()))
    return torch.stack(list(tensors))


def _union(windows: NDArray[np.int64]) -> tuple[int, int, int, int]:
    """Smallest window (row, col, height, width) that contains windows (N, 4)."""
    low = windows[:, :2].min(axis=0)
    high = (windows[:, :2] + windows[:, 2:]).max(axis=0)
    (row, col), (height, width) = low.tolist(), (high - low).tolist()
    return row, col, height, width
