"""Pairs of overlapping views, read from scenes."""

from collections.abc import Callable

import numpy as np
import torch
from torch.utils.data import Dataset
from torchgeo.datasets.utils import Sample

from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.geometry.affine import compose, matrix_from_affine, translation
from sscl_geo.geometry.pair_index import PairIndex
from sscl_geo.geometry.resample import is_window, resample


class PairDataset(Dataset[Sample]):
    """Read the views that an :class:`~sscl_geo.samplers.overlap_pairs.OverlapPairSampler` drew.

    Both views of a pair are cut from one read of the ground that they cover together. A view on
    its scene's own grid is a copy of the pixels; only zoom and rotation interpolate.

    Args:
        scenes: the scenes.
        size: (height, width) of a view in pixels, or one number for both; as in the sampler.
        transforms: applied to each sample.

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
    ) -> None:
        self.scenes = scenes
        self.size = (size, size) if isinstance(size, int) else size
        self.transforms = transforms

    def __getitem__(self, index: PairIndex) -> Sample:
        """Read one pair.

        Args:
            index: what the sampler drew.

        Returns:
            ``image`` float32 (views, C, H, W), raw values, 0 where invalid; ``valid`` bool
            (views, H, W); ``pixel_to_map`` float64 (views, 2, 3), from view pixels to map
            coordinates of the pair's own scene; ``scene`` int64, its number.

        Raises:
            SceneError: if the file cannot be read.
        """
        row, col, height, width = index.window
        if not all(is_window(matrix) for matrix in index.pixel_to_scene):
            # Bilinear interpolation at a view's edge needs the next pixel beyond it.
            row, col, height, width = row - 1, col - 1, height + 2, width + 2
        patch = self.scenes.read(index.scene, row, col, height, width)
        to_patch = compose(translation(-col, -row), index.pixel_to_scene)
        views = [resample(patch.image, patch.valid, matrix, self.size) for matrix in to_patch]
        scene_to_map = matrix_from_affine(self.scenes.scenes[index.scene].geobox.affine)
        sample: Sample = {
            "image": torch.from_numpy(np.stack([image for image, _ in views])),
            "valid": torch.from_numpy(np.stack([valid for _, valid in views])),
            "pixel_to_map": torch.from_numpy(compose(scene_to_map, index.pixel_to_scene)),
            "scene": torch.tensor(index.scene),
        }
        return self.transforms(sample) if self.transforms is not None else sample
