"""Changes that are a scale and an offset of each band."""

import torch
from torch import Tensor, nn

from sscl_geo.transforms.random_change import uniform


class RandomLinear(nn.Module):
    """Brightness, contrast, gain of bands, haze, and loss of a band, in one pass over the pixels.

    Each of them multiplies a band and adds to it, so all together do: ``x -> scale x + offset``,
    drawn for each view and band. Values are in units of a band's standard deviation about its mean;
    nothing is clipped.

    Args:
        brightness: greatest offset common to all bands.
        contrast: greatest stretch common to all bands; 0.2 gives factors from 1/1.2 to 1.2.
        gain: greatest stretch of each band by itself, likewise.
        haze: greatest share of a bright veil (3 standard deviations) in the first band; it fades
            over the following ones, as path radiance does from short to long waves.
        p: share of views that get brightness and contrast, and share that get gains.
        p_haze: share of views with haze.
        p_drop: share of views in which one band is set to its mean; a single band stays.

    Example:
        >>> import torch
        >>> from sscl_geo.transforms.linear import RandomLinear
        >>> image, valid = torch.randn(4, 5, 8, 8), torch.ones(4, 8, 8, dtype=torch.bool)
        >>> RandomLinear(haze=0.3)(image, valid).shape
        torch.Size([4, 5, 8, 8])
    """

    def __init__(
        self,
        brightness: float = 0.4,
        contrast: float = 0.4,
        gain: float = 0.2,
        haze: float = 0.0,
        p: float = 0.8,
        p_haze: float = 0.2,
        p_drop: float = 0.1,
    ) -> None:
        super().__init__()
        self.brightness = brightness
        self.contrast = contrast
        self.gain = gain
        self.haze = haze
        self.p = p
        self.p_haze = p_haze
        self.p_drop = p_drop

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:  # noqa: ARG002 - all changes take it
        """Change views; shapes as in :class:`~sscl_geo.transforms.random_change.RandomChange`."""
        scale, offset = self.draw(image)
        return image * scale[:, :, None, None] + offset[:, :, None, None]

    def draw(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and offset for each view and band of an image (N, C, H, W), both (N, C)."""
        bands = image.shape[1]
        common, own, veiled = (uniform(image, 0, 1, 1) < p for p in (self.p, self.p, self.p_haze))
        scale = (1 + self.contrast) ** (uniform(image, -1, 1, 1) * common)
        scale = scale * (1 + self.gain) ** (uniform(image, -1, 1, bands) * own)
        offset = self.brightness * uniform(image, -1, 1, 1) * common
        # A quarter to nearly all of the veil is left in the last band.
        place = torch.linspace(0, 1, bands, device=image.device, dtype=image.dtype)
        fading = torch.exp(-uniform(image, 0, 1.4, 1) * place)
        veil = uniform(image, 0, self.haze, 1) * veiled * fading
        scale, offset = scale * (1 - veil), offset * (1 - veil) + 3 * veil
        if bands > 1:
            lost = (
                uniform(image, 0, bands, 1).long() == torch.arange(bands, device=image.device)
            ) & (uniform(image, 0, 1, 1) < self.p_drop)
            scale, offset = scale.masked_fill(lost, 0), offset.masked_fill(lost, 0)
        return scale, offset
