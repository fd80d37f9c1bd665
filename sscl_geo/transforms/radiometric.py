"""Radiometric augmentation by preset, in normalised units, for any number of bands.

Kornia's colour transforms assume RGB between 0 and 1: on four bands they fail, and on normalised
data they clip. Its random generators draw on the host and ask the device which views to change,
for which each step would wait. So the changes here are ours, and Kornia's filters do the work.
"""

from typing import Literal

from torch import Tensor, nn

from sscl_geo.errors import ConfigError
from sscl_geo.transforms.blur import RandomBlur
from sscl_geo.transforms.color import RandomColor
from sscl_geo.transforms.gamma import RandomGamma
from sscl_geo.transforms.linear import RandomLinear
from sscl_geo.transforms.noise import RandomNoise
from sscl_geo.transforms.speckle import RandomSpeckle

Preset = Literal["optical", "rgb", "sar", "sar_db"]


class RadiometricChain(nn.Module):
    """Changes one after the other.

    Args:
        changes: modules that map (image, valid) to image, such as
            :class:`~sscl_geo.transforms.random_change.RandomChange`.
    """

    def __init__(self, *changes: nn.Module) -> None:
        super().__init__()
        self.changes = nn.ModuleList(changes)

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Change views (N, C, H, W), whose valid pixels are (N, H, W)."""
        for change in self.changes:
            image = change(image, valid)
        return image


def radiometric_augmentation(
    strength: float = 1.0,
    preset: Preset = "optical",
    mean: tuple[float, ...] = (),
    std: tuple[float, ...] = (),
) -> RadiometricChain:
    """The changes that suit a kind of image.

    ===========  =====================================================================
    ``optical``  brightness, contrast, gain and loss of bands, haze, gamma, blur, noise
    ``rgb``      the same, without loss of bands, and saturation, hue and greyscale
    ``sar``      brightness, contrast, gain of bands, speckle, blur; bands are intensities
    ``sar_db``   the same; bands are in decibels
    ===========  =====================================================================

    Args:
        strength: multiplies the range of each change; 0 changes nothing.
        preset: the kind of image.
        mean: mean of each band in raw units, for ``sar`` and ``sar_db``.
        std: standard deviation of each band, likewise.

    Raises:
        ConfigError: if there is no such preset, or it lacks the statistics of the bands.
    """
    if strength == 0:
        return RadiometricChain()
    tone, gain = 0.4 * strength, 0.2 * strength
    blur, noise = RandomBlur((0.1, 0.1 + 1.4 * strength)), RandomNoise(0.1 * strength)
    gamma = RandomGamma(1 + 0.3 * strength)
    if preset == "optical":
        linear = RandomLinear(tone, tone, gain, haze=0.3 * strength)
        return RadiometricChain(linear, gamma, blur, noise)
    if preset == "rgb":
        linear = RandomLinear(tone, tone, gain, haze=0.3 * strength, p_drop=0)
        color = RandomColor(1 + 0.4 * strength, 18 * strength)
        return RadiometricChain(linear, color, gamma, blur, noise)
    if preset not in ("sar", "sar_db"):
        raise ConfigError(f"There is no preset {preset!r}; choose optical, rgb, sar or sar_db.")
    if not mean or len(mean) != len(std):
        raise ConfigError(
            f"The preset {preset} needs mean and std of each band, to know what 0 is; give both."
        )
    speckle = RandomSpeckle(mean, std, (4 / strength, 32 / strength), preset == "sar_db")
    return RadiometricChain(RandomLinear(tone, tone, gain, p_drop=0), speckle, blur)
