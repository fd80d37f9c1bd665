"""Augmentation of the views of pairs, whole batches on the device."""

from math import ceil

import torch
from torch import Tensor, nn

from sscl_geo.geometry.affine import compose
from sscl_geo.transforms.geometric import RandomWarp
from sscl_geo.transforms.normalize import Normalize
from sscl_geo.transforms.radiometric import radiometric_augmentation

Batch = dict[str, Tensor]


class ViewAugmentation(nn.Module):
    """Normalise, warp and recolour the views of a batch of pairs, and keep their georeference.

    Each view gets its own draw. The warp's matrix is composed into ``pixel_to_map``, so that the
    correspondences of the result are as exact as those of the input. Pixels without data, and those
    with a value that is not finite, are not valid and 0; they bleed into none. Nothing waits for
    the device.

    Args:
        mean: mean of each band, raw units.
        std: standard deviation of each band, raw units.
        warp: geometric part; flips and quarter turns by default.
        shape: (height, width) of a view, where batches hold the windows that views are to be cut
            from; see :class:`~sscl_geo.datasets.pairs.PairDataset`.
        zoom: greatest size of a view's pixels in those of its window.
        radiometric: maps (N, C, H, W) in normalised units and the valid pixels (N, H, W) to changed
            views; that of :func:`~sscl_geo.transforms.radiometric.radiometric_augmentation` for
            optical images if None.

    Example:
        >>> import torch
        >>> from sscl_geo import ViewAugmentation
        >>> augment = ViewAugmentation(mean=(100.0, 90.0), std=(20.0, 30.0))
        >>> batch = {
        ...     "image": torch.rand(4, 2, 2, 32, 32) * 200,
        ...     "valid": torch.ones(4, 2, 32, 32, dtype=torch.bool),
        ...     "pixel_to_map": torch.eye(2, 3, dtype=torch.float64).expand(4, 2, 2, 3),
        ... }
        >>> augment(batch)["image"].shape
        torch.Size([4, 2, 2, 32, 32])
    """

    def __init__(
        self,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        warp: RandomWarp | None = None,
        radiometric: nn.Module | None = None,
        shape: tuple[int, int] | None = None,
        zoom: float = 1.0,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.normalize = Normalize(mean, std)
        self.warp = warp if warp is not None else RandomWarp()
        self.samples = max(1, ceil(zoom * self.warp.zoom[1] - 1e-9))
        self.radiometric = radiometric if radiometric is not None else radiometric_augmentation()

    def forward(self, batch: Batch) -> Batch:
        """Augment a batch.

        Args:
            batch: ``image`` (B, V, C, H, W) raw, ``valid`` (B, V, H, W), ``pixel_to_map``
                (B, V, 2, 3) float64, and ``view_to_window`` (B, V, 2, 3) float64 if these are
                windows to cut views from; other keys pass through.

        Returns:
            the same keys without ``view_to_window``; ``image`` normalised.
        """
        leading = batch["image"].shape[:2]
        image, valid = batch["image"].flatten(0, 1), batch["valid"].flatten(0, 1)
        valid = valid & torch.isfinite(image).all(dim=1)
        views = batch.get("view_to_window")
        image, valid, new_to_old = self.warp(
            self.normalize(image, valid),
            valid,
            None if views is None else views.flatten(0, 1),
            self.shape,
            self.samples,
        )
        image = self.radiometric(image, valid).masked_fill(~valid[:, None], 0)
        return {
            **{key: value for key, value in batch.items() if key != "view_to_window"},
            "image": image.unflatten(0, leading),
            "valid": valid.unflatten(0, leading),
            "pixel_to_map": compose(batch["pixel_to_map"], new_to_old.unflatten(0, leading)),
        }
