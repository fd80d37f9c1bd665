"""Colour changes of RGB images."""

import math

import torch
from torch import Tensor

from sscl_geo.errors import ConfigError
from sscl_geo.transforms.random_change import RandomChange, uniform

_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


class RandomColor(RandomChange):
    """Change saturation and hue of red, green and blue; some views lose all colour.

    Saturation scales, and hue turns, the chroma plane of YIQ: a matrix for each view, which needs
    no range of values and clips nothing.

    Args:
        saturation: greatest factor of the chroma; 1.4 draws factors from 1/1.4 to 1.4.
        hue: greatest turn of the chroma plane, in degrees.
        gray: share of the changed views that lose all colour.
        p: share of views.

    Raises:
        ConfigError: when called with another number of bands than three.
    """

    to_yiq: Tensor
    to_rgb: Tensor

    def __init__(
        self, saturation: float = 1.4, hue: float = 18.0, gray: float = 0.25, p: float = 0.8
    ) -> None:
        super().__init__(p)
        self.saturation = saturation
        self.hue = hue
        self.gray = gray
        to_yiq = torch.tensor(_YIQ)
        self.register_buffer("to_yiq", to_yiq, persistent=False)
        self.register_buffer("to_rgb", torch.linalg.inv(to_yiq), persistent=False)

    def change(self, image: Tensor, valid: Tensor) -> Tensor:  # noqa: ARG002 - all changes take it
        """Change all views (N, 3, H, W)."""
        if image.shape[1] != 3:
            raise ConfigError(
                f"Colour changes are for red, green and blue, but the scenes have {image.shape[1]} "
                "bands; choose three bands or the preset 'optical'."
            )
        chroma = self.saturation ** uniform(image, -1, 1)
        chroma = chroma * (uniform(image, 0, 1) >= self.gray)
        angle = math.radians(self.hue) * uniform(image, -1, 1)
        cos, sin, zero = chroma * angle.cos(), chroma * angle.sin(), torch.zeros_like(angle)
        turn = torch.stack(
            [torch.ones_like(angle), zero, zero, zero, cos, -sin, zero, sin, cos], dim=1
        ).unflatten(1, (3, 3))
        matrix = self.to_rgb.to(image) @ turn @ self.to_yiq.to(image)
        return (matrix @ image.flatten(2)).view_as(image)
