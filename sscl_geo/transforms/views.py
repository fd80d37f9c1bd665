"""Augmentation of the views of pairs, whole batches on the device."""

from torch import Tensor, nn

from sscl_geo.geometry.affine import compose
from sscl_geo.transforms.geometric import RandomWarp
from sscl_geo.transforms.normalize import Normalize
from sscl_geo.transforms.radiometric import radiometric_augmentation

Batch = dict[str, Tensor]


class ViewAugmentation(nn.Module):
    """Normalise, warp and recolour the views of a batch of pairs, and keep their georeference.

    Each view gets its own draw. The warp's matrix is composed into ``pixel_to_map``, so that the
    correspondences of the result are as exact as those of the input. Pixels without data stay
    without data and are 0.

    Args:
        mean: mean of each band, raw units.
        std: standard deviation of each band, raw units.
        warp: geometric part; flips and quarter turns by default.
        radiometric: maps (N, C, H, W) in normalised units to the same shape; the default chain of
            :func:`~sscl_geo.transforms.radiometric.radiometric_augmentation` if None.

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
    ) -> None:
        super().__init__()
        self.normalize = Normalize(mean, std)
        self.warp = warp if warp is not None else RandomWarp()
        self.radiometric = radiometric if radiometric is not None else radiometric_augmentation()

    def forward(self, batch: Batch) -> Batch:
        """Augment a batch.

        Args:
            batch: ``image`` (B, V, C, H, W) raw, ``valid`` (B, V, H, W), ``pixel_to_map``
                (B, V, 2, 3) float64; other keys pass through.

        Returns:
            the same keys; ``image`` normalised.
        """
        leading = batch["image"].shape[:2]
        image, valid = batch["image"].flatten(0, 1), batch["valid"].flatten(0, 1)
        image, valid, new_to_old = self.warp(self.normalize(image, valid), valid)
        image = self.radiometric(image) * valid[:, None]
        return {
            **batch,
            "image": image.unflatten(0, leading),
            "valid": valid.unflatten(0, leading),
            "pixel_to_map": compose(batch["pixel_to_map"], new_to_old.unflatten(0, leading)),
        }
