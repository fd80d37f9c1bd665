"""Geometric augmentation of views: one interpolation, and a matrix that tells the truth."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sscl_geo.errors import ConfigError
from sscl_geo.geometry.affine import compose
from sscl_geo.geometry.interpolate import interpolate, pixel_under


class Warped(NamedTuple):
    """Warped views.

    Attributes:
        image: float of shape (B, C, H, W), 0 where not valid.
        valid: bool of shape (B, H, W).
        new_to_old: float64 of shape (B, 2, 3), from pixels of the new view to pixels of the old.
    """

    image: Tensor
    valid: Tensor
    new_to_old: Tensor


class RandomWarp(nn.Module):
    """Flips, quarter turns, crops, zoom and rotation of whole batches, each view with its own draw.

    All of it is one affine matrix per view and one interpolation. Flips and quarter turns alone
    move pixels without interpolation. With zoom or rotation only valid pixels count, with their
    share of the bilinear weight, so that nodata never bleeds into data; what lies beyond the old
    view is not valid.

    Args:
        flips: flip each axis with probability 1/2.
        quarter_turns: turn by a multiple of 90 degrees, each equally likely; square views only.
        zoom: least and greatest size of the new pixels, in old pixels; below 1 magnifies.
        rotation: greatest rotation, in degrees of the pixel grid.
        shift: greatest shift of the view's centre along each axis, as a share of its size; with a
            zoom below 1, a random crop.

    Raises:
        ConfigError: if the zoom is not above 0, or its least is above its greatest.
    """

    def __init__(
        self,
        flips: bool = True,
        quarter_turns: bool = True,
        zoom: tuple[float, float] = (1.0, 1.0),
        rotation: float = 0.0,
        shift: float = 0.0,
    ) -> None:
        if not 0 < zoom[0] <= zoom[1]:
            raise ConfigError(f"zoom is {zoom}; give two numbers above 0, the smaller first.")
        super().__init__()
        self.flips = flips
        self.quarter_turns = quarter_turns
        self.zoom = zoom
        self.rotation = rotation
        self.shift = shift

    def forward(
        self,
        image: Tensor,
        valid: Tensor,
        view_to_image: Tensor | None = None,
        shape: tuple[int, int] | None = None,
        samples: int = 1,
    ) -> Warped:
        """Warp a batch.

        Args:
            image: float of shape (B, C, H, W), 0 where not valid.
            valid: bool of shape (B, H, W).
            view_to_image: where the views lie in their images, float64 of shape (B, 2, 3); the
                views are the images if None. The cut, its zoom and its rotation are part of the
                one interpolation.
            shape: (height, width) of the views; of the images if None.
            samples: points that are averaged for a pixel, along each axis.
        """
        shape = shape or (image.shape[-2], image.shape[-1])
        matrix = self.draw(len(image), shape, image.device)
        moves_only = self.zoom == (1.0, 1.0) and self.rotation == 0 and self.shift == 0
        if view_to_image is None and moves_only:
            return Warped(*_move(image, valid, matrix), matrix)
        if view_to_image is not None:
            matrix = compose(view_to_image, matrix)
        return Warped(*interpolate(image, valid, matrix, shape, samples), matrix)

    def draw(self, batch: int, shape: tuple[int, int], device: torch.device) -> Tensor:
        """Draw matrices (batch, 2, 3), float64, from new pixels to old."""
        height, width = shape
        identity = torch.eye(2, dtype=torch.float64, device=device).expand(batch, 2, 2)
        linear = identity
        if self.flips:
            sign = torch.randint(0, 2, (batch, 2), device=device).double() * 2 - 1
            linear = torch.diag_embed(sign)
        if self.quarter_turns and height == width:
            turn = torch.randint(0, 2, (batch, 1, 1), device=device).bool()
            # A quarter turn. The half turn is among the flips; without these it is drawn here.
            if not self.flips:
                half = torch.randint(0, 2, (batch, 1, 1), device=device).double()
                linear = linear * (1 - 2 * half)
            turned = torch.stack([linear[..., 1], -linear[..., 0]], dim=-1)
            linear = torch.where(turn, turned, linear)
        if self.zoom != (1.0, 1.0):
            low, high = (math.log(z) for z in self.zoom)
            factor = torch.rand(batch, 1, 1, dtype=torch.float64, device=device)
            linear = linear * torch.exp(low + factor * (high - low))
        if self.rotation:
            angle = torch.rand(batch, dtype=torch.float64, device=device) * 2 - 1
            angle = torch.deg2rad(angle * self.rotation)
            cos, sin = angle.cos(), angle.sin()
            spin = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
            linear = linear @ spin
        # The new centre shows what is at the old one, or beside it. Numbers, not a tensor of them:
        # making one on the device would make the host wait for it.
        moved = torch.rand(batch, 2, dtype=torch.float64, device=device) * 2 - 1
        x = width * (0.5 + self.shift * moved[:, 0])
        y = height * (0.5 + self.shift * moved[:, 1])
        offset = (
            torch.stack([x, y], -1) - linear[..., 0] * (width / 2) - linear[..., 1] * (height / 2)
        )
        return torch.cat([linear, offset[..., None]], dim=-1)


def _move(image: Tensor, valid: Tensor, new_to_old: Tensor) -> tuple[Tensor, Tensor]:
    """Apply flips and quarter turns by copying pixels."""
    batch, channels, height, width = image.shape
    at, _ = pixel_under(new_to_old, (height, width))
    moved = image.reshape(batch, channels, -1).gather(2, at[:, None].expand(-1, channels, -1))
    return moved.reshape(image.shape), valid.reshape(batch, -1).gather(1, at).reshape(valid.shape)
