"""Radiometric augmentation for any number of bands, in normalised units.

Kornia's colour transforms assume RGB between 0 and 1: on four bands they fail, and on normalised
data they clip. These take batches with mean 0 and standard deviation 1 in each band.
"""

from typing import Any

import kornia.augmentation as K
import torch
from kornia.augmentation import IntensityAugmentationBase2D
from torch import Tensor


class _Random(IntensityAugmentationBase2D):
    """Base of augmentations whose parameters are uniform numbers, one row a sample."""

    def __init__(self, numbers: int, p: float) -> None:
        super().__init__(p=p, same_on_batch=False, keepdim=False)
        self.numbers = numbers

    def generate_parameters(self, batch_shape: tuple[int, ...]) -> dict[str, Tensor]:
        """Draw uniform numbers between -1 and 1, shape (B, numbers), or (B, C) for 0 numbers."""
        columns = self.numbers or batch_shape[1]
        return {"uniform": torch.rand(batch_shape[0], columns) * 2 - 1}

    def _uniform(self, params: dict[str, Tensor], image: Tensor) -> Tensor:
        return params["uniform"].to(image)[:, :, None, None]


class RandomBrightnessContrast(_Random):
    """Add an offset common to all bands (haze, exposure) and stretch about the mean.

    Args:
        brightness: greatest offset, in standard deviations.
        contrast: greatest change of the stretch; 0.2 gives factors between 1/1.2 and 1.2.
        p: probability for each view.
    """

    def __init__(self, brightness: float = 0.4, contrast: float = 0.4, p: float = 0.8) -> None:
        super().__init__(2, p)
        self.brightness = brightness
        self.contrast = contrast

    def apply_transform(
        self,
        input: Tensor,  # noqa: A002 - Kornia's name
        params: dict[str, Tensor],
        flags: dict[str, Any],  # noqa: ARG002 - Kornia passes it
        transform: Tensor | None = None,  # noqa: ARG002 - Kornia passes it
    ) -> Tensor:
        """Apply to the chosen samples (B, C, H, W)."""
        offset, stretch = self._uniform(params, input).split(1, dim=1)
        return input * (1 + self.contrast) ** stretch + self.brightness * offset


class RandomBandGain(_Random):
    """Change gain and offset of each band by itself, as sensors and atmospheres do.

    Args:
        gain: greatest change of a band's gain; 0.2 gives factors between 1/1.2 and 1.2.
        p: probability for each view.
    """

    def __init__(self, gain: float = 0.2, p: float = 0.8) -> None:
        super().__init__(0, p)
        self.gain = gain

    def apply_transform(
        self,
        input: Tensor,  # noqa: A002 - Kornia's name
        params: dict[str, Tensor],
        flags: dict[str, Any],  # noqa: ARG002 - Kornia passes it
        transform: Tensor | None = None,  # noqa: ARG002 - Kornia passes it
    ) -> Tensor:
        """Apply to the chosen samples (B, C, H, W)."""
        return input * (1 + self.gain) ** self._uniform(params, input)


class RandomBandDrop(_Random):
    """Set one band, drawn at random, to its mean; views of a single band are left alone.

    Args:
        p: probability for each view.
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(1, p)

    def apply_transform(
        self,
        input: Tensor,  # noqa: A002 - Kornia's name
        params: dict[str, Tensor],
        flags: dict[str, Any],  # noqa: ARG002 - Kornia passes it
        transform: Tensor | None = None,  # noqa: ARG002 - Kornia passes it
    ) -> Tensor:
        """Apply to the chosen samples (B, C, H, W)."""
        bands = input.shape[1]
        if bands == 1:
            return input
        chosen = ((self._uniform(params, input) + 1) / 2 * bands).long().clamp(max=bands - 1)
        keep = torch.arange(bands, device=input.device)[None, :, None, None] != chosen
        return input * keep


def radiometric_augmentation(strength: float = 1.0) -> K.AugmentationSequential:
    """The default chain: brightness, contrast, band gain, band drop, blur and noise.

    Args:
        strength: multiplies the range of each change; 0 changes nothing but blur and noise.
    """
    return K.AugmentationSequential(
        RandomBrightnessContrast(0.4 * strength, 0.4 * strength),
        RandomBandGain(0.2 * strength),
        RandomBandDrop(p=0.1),
        K.RandomGaussianBlur((5, 5), (0.1, 1.5), p=0.3),
        K.RandomGaussianNoise(std=0.1 * strength, p=0.3),
        data_keys=["input"],
    )
