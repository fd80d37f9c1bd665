"""Bringing raw pixels to the scale that networks are trained on."""

import torch
from torch import Tensor, nn

from sscl_geo.io.units import BandUnits


def normalize(image: Tensor, valid: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Subtract each band's mean, divide by its standard deviation, put 0 where there is no data.

    0 is the mean of the data after normalising: invalid pixels look average, not black.

    Args:
        image: float of shape (..., C, H, W), raw values.
        valid: bool of shape (..., H, W).
        mean: shape (C,), raw units.
        std: shape (C,), raw units; a constant band (0) is only centred.

    Returns:
        float32 of the shape of ``image``.
    """
    scale = torch.where(std > 0, std, torch.ones_like(std))
    # In place: three new images as large would cost more time than the arithmetic.
    scaled = (image - mean[:, None, None]).div_(scale[:, None, None])
    # To fill takes longer than all before it, and most tiles have data everywhere. Only the host
    # looks: a GPU would be waited for, and a program that is exported cannot depend on data.
    if valid.device.type == "cpu" and not torch.compiler.is_compiling() and valid.numpy().all():
        return scaled
    return scaled.masked_fill_(~valid.unsqueeze(-3), 0)


class Normalize(nn.Module):
    """:func:`normalize` with statistics that move with the module.

    Args:
        mean: mean of each band, raw units.
        std: standard deviation of each band, raw units.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        # Not persistent: a bundle holds them in its header, not among the weights.
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32), persistent=False)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32), persistent=False)

    def in_units(
        self, own: BandUnits, units: BandUnits, path: str
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation in other units; see :meth:`BandUnits.statistics_in`."""
        return own.statistics_in(units, self.mean.tolist(), self.std.tolist(), path)

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Normalise a batch; see :func:`normalize`."""
        return normalize(image, valid, self.mean, self.std)
