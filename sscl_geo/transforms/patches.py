"""Augmentation of labelled patches, whole batches on the device."""

from math import ceil

import torch
from torch import Tensor, nn

from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.geometry.interpolate import nearest
from sscl_geo.transforms.geometric import RandomWarp
from sscl_geo.transforms.normalize import Normalize

Batch = dict[str, Tensor]


class PatchAugmentation(nn.Module):
    """Normalise patches; flip, turn and recolour them, image, mask and valid mask together.

    Flips and quarter turns copy pixels. With zoom or rotation the image is interpolated once, and a
    pixel gets the label of the old pixel that its centre lies in: no label is ever interpolated.
    Pixels without data stay without data and are 0; ground beyond the old patch has no label.

    Args:
        mean: mean of each band, raw units.
        std: standard deviation of each band, raw units.
        moves: flip and turn by multiples of 90 degrees.
        zoom: least and greatest size of the new pixels, in old pixels.
        rotation: greatest rotation, in degrees.
        brightness: greatest shift of a patch, the same for all bands, in standard deviations.
        contrast: greatest change of a patch's contrast about the mean, as a share.
        radiometric: changes in place of brightness and contrast, such as those of
            :func:`~sscl_geo.transforms.radiometric.radiometric_augmentation`; maps normalised
            images (B, C, H, W) and their valid pixels (B, H, W) to changed images.
        ignore_index: class index of pixels without a label.

    Example:
        >>> import torch
        >>> from sscl_geo.transforms.patches import PatchAugmentation
        >>> augment = PatchAugmentation(mean=(100.0, 90.0), std=(20.0, 30.0))
        >>> batch = {
        ...     "image": torch.rand(4, 2, 32, 32) * 200,
        ...     "valid": torch.ones(4, 32, 32, dtype=torch.bool),
        ...     "mask": torch.zeros(4, 32, 32, dtype=torch.long),
        ... }
        >>> augment(batch)["mask"].shape
        torch.Size([4, 32, 32])
    """

    def __init__(
        self,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        moves: bool = True,
        zoom: tuple[float, float] = (1.0, 1.0),
        rotation: float = 0.0,
        brightness: float = 0.1,
        contrast: float = 0.1,
        radiometric: nn.Module | None = None,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__()
        self.normalize = Normalize(mean, std)
        self.warp = RandomWarp(flips=moves, quarter_turns=moves, zoom=zoom, rotation=rotation)
        self.samples = max(1, ceil(zoom[1] - 1e-9))
        self.brightness = brightness
        self.contrast = contrast
        self.radiometric = radiometric
        self.ignore_index = ignore_index

    def forward(self, batch: Batch) -> Batch:
        """Augment a batch.

        Args:
            batch: ``image`` (B, C, H, W) raw, ``valid`` (B, H, W), ``mask`` (B, H, W) class
                indices; other keys pass through.

        Returns:
            the same keys; ``image`` float32 normalised.
        """
        image, valid, mask = batch["image"], batch["valid"], batch["mask"]
        image, shown, new_to_old = self.warp(
            self.normalize(image, valid), valid, samples=self.samples
        )
        # What interpolation took the data of has no label either.
        lost = nearest(valid, new_to_old, fill=False) & ~shown
        unknown = self.ignore_index
        mask = nearest(mask, new_to_old, unknown).masked_fill(lost, unknown)
        image = self._recolor(image, shown).masked_fill(~shown[:, None], 0)
        return {**batch, "image": image, "valid": shown, "mask": mask}

    def _recolor(self, image: Tensor, valid: Tensor) -> Tensor:
        if self.radiometric is not None:
            return self.radiometric(image, valid)
        shape = (len(image), 1, 1, 1)
        draw = torch.rand(2, *shape, device=image.device, dtype=image.dtype) * 2 - 1
        return image * (1 + self.contrast * draw[0]) + self.brightness * draw[1]
