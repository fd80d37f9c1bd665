"""Pairs of overlapping views, read from scenes."""

import os
import warnings
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset
from torchgeo.datasets.utils import Sample

from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.errors import SceneError, SkippedPlaceWarning
from sscl_geo.geometry.affine import compose, matrix_from_affine, translation
from sscl_geo.geometry.pair_index import PairIndex
from sscl_geo.geometry.resample import is_window, resample_into
from sscl_geo.io.decoded_cache import DecodedCache
from sscl_geo.io.reading import RawPatch


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
        return self._read_visit([index])[0]

    def __getitems__(self, indexes: Sequence[PairIndex]) -> list[Sample]:
        """Read a batch, as PyTorch's loader asks for it: the pairs of each visit together.

        A place that cannot be decoded is left out with a :class:`SkippedPlaceWarning`, and other
        pairs of the batch stand in for its own, marked by ``skipped``: one bad block in a
        thousand scenes does not end a long training, and batches keep their size.

        Raises:
            SceneError: if no pair of the batch can be read.
        """
        samples: list[Sample | None] = []
        failure: SceneError | None = None
        for _, visit in groupby(indexes, key=lambda index: index.visit):
            group = list(visit)
            try:
                samples += self._read_visit(group)
            except SceneError as error:
                warnings.warn(f"Skipped a place: {error}", SkippedPlaceWarning, stacklevel=2)
                failure = error
                samples += [None] * len(group)
        good = [sample for sample in samples if sample is not None]
        if failure is not None and not good:
            raise failure
        return [
            {**good[i % len(good)], "skipped": torch.tensor(data=True)}
            if sample is None
            else sample
            for i, sample in enumerate(samples)
        ]

    def _read_visit(self, indexes: Sequence[PairIndex]) -> list[Sample]:
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
        return [self._cut(index, patches) for index in indexes]

    def _read(
        self, scene: int, row: int, col: int, height: int, width: int
    ) -> tuple[RawPatch, int, int]:
        """A patch that holds a window, and the (row, col) of its first pixel in the scene."""
        if self.cache is None:
            return self.scenes.read_raw(scene, row, col, height, width), row, col
        if scene not in self._decoded:
            self._decoded[scene] = self.cache.open(self.scenes.reader(scene))
        return self._decoded[scene], 0, 0

    def _cut(self, index: PairIndex, patches: dict[int, tuple[RawPatch, int, int]]) -> Sample:
        views, bands = len(index.scenes), len(patches[index.scenes[0]][0].pixels)
        image = np.empty((views, bands, *self.size), np.float32)
        valid = np.empty((views, *self.size), bool)
        for view, scene in enumerate(index.scenes):
            patch, row, col = patches[scene]
            to_patch = compose(translation(-col, -row), index.pixel_to_scene[view])
            resample_into(image[view], valid[view], patch.pixels, patch.valid, to_patch)
        to_map = np.stack(
            [matrix_from_affine(self.scenes.scenes[s].geobox.affine) for s in index.scenes]
        )
        sample: Sample = {
            "image": torch.from_numpy(image),
            "valid": torch.from_numpy(valid),
            "pixel_to_map": torch.from_numpy(compose(to_map, index.pixel_to_scene)),
            "scene": torch.tensor(index.scenes),
            "skipped": torch.tensor(data=False),
        }
        return self.transforms(sample) if self.transforms is not None else sample


def _union(windows: NDArray[np.int64]) -> tuple[int, int, int, int]:
    """Smallest window (row, col, height, width) that contains windows (N, 4)."""
    low = windows[:, :2].min(axis=0)
    high = (windows[:, :2] + windows[:, 2:]).max(axis=0)
    (row, col), (height, width) = low.tolist(), (high - low).tolist()
    return row, col, height, width
