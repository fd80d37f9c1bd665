"""Showing images on other grids, bilinear among valid pixels, and class masks, nearest."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor


def interpolate(
    image: Tensor,
    valid: Tensor,
    new_to_old: Tensor,
    shape: tuple[int, int] | None = None,
    samples: int = 1,
) -> tuple[Tensor, Tensor]:
    """Show a batch of images on new grids.

    Bilinear between pixel centres; a new pixel is the mean of ``samples`` x ``samples`` points
    spread over it, so that fine detail does not alias where new pixels are larger than old ones.
    Only valid pixels count, with their share of the weight, so that nodata never bleeds into data;
    a new pixel is valid if at least half of its weight is. What lies beyond an image is not valid.

    Args:
        image: float32 of shape (B, C, height, width), 0 where not valid.
        valid: bool of shape (B, height, width).
        new_to_old: float64 of shape (B, 2, 3), from new pixels to old, both (column, row) with
            (0, 0) at the outer corner.
        shape: (height, width) of the new grids; that of the old ones if None.
        samples: points a new pixel along each axis; the size of new pixels in old ones, rounded up.

    Returns:
        images (B, C, *shape), 0 where not valid, and masks (B, *shape).
    """
    height, width = shape or (image.shape[-2], image.shape[-1])
    # Composed in float64; the results hold numbers of pixels, for which float32 is enough.
    new_to_grid = _to_grid(image.shape[-1], image.shape[-2], new_to_old)
    theta = _from_grid(width, height, new_to_grid).to(image.dtype)
    grid = F.affine_grid(theta, [len(image), 1, height, width], align_corners=False)
    # Where the points of a pixel lie, from its centre.
    along = torch.arange(samples, device=new_to_old.device, dtype=torch.float64)
    points = (along + 0.5) / samples - 0.5
    points_xy = torch.cartesian_prod(points, points)
    shifts = (points_xy @ new_to_grid[..., :2].mT).to(image.dtype)
    source = torch.cat([image, valid[:, None].to(image.dtype)], dim=1)
    parts = (
        F.grid_sample(source, grid + shifts[:, i, None, None], align_corners=False)
        for i in range(samples * samples)
    )
    total = functools.reduce(Tensor.add_, parts)
    weight = total[:, -1:]
    inside = weight >= samples * samples / 2
    values = total[:, :-1].div_(weight.clamp(min=samples * samples / 2))
    return values.masked_fill_(~inside, 0), inside[:, 0]


def nearest(values: Tensor, new_to_old: Tensor, fill: float) -> Tensor:
    """Show a batch of class masks on new grids of the same size, each pixel as it is nearest.

    Args:
        values: shape (B, height, width), of any type.
        new_to_old: float64 of shape (B, 2, 3), as in :func:`interpolate`.
        fill: value beyond the old grids.

    Returns:
        the same shape and type.
    """
    at, inside = pixel_under(new_to_old, (values.shape[-2], values.shape[-1]))
    found = values.flatten(1).gather(1, at)
    return found.masked_fill(~inside, fill).reshape(values.shape)


def pixel_under(new_to_old: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Which old pixel the centre of each new pixel lies in, on grids of one size.

    Args:
        new_to_old: float64 of shape (B, 2, 3), as in :func:`interpolate`.
        shape: (height, width) of both grids.

    Returns:
        its number in reading order, int64 of shape (B, height * width), the nearest one beyond the
        old grid; and whether the centre lies inside it, bool of the same shape.
    """
    height, width = shape
    x = torch.arange(width, device=new_to_old.device, dtype=torch.float64) + 0.5
    y = torch.arange(height, device=new_to_old.device, dtype=torch.float64) + 0.5
    centres = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(1, -1, 2)
    old = centres @ new_to_old[:, :, :2].mT + new_to_old[:, None, :, 2]
    col, row = old.floor().long().unbind(dim=-1)
    inside = (col >= 0) & (col < width) & (row >= 0) & (row < height)
    return row.clamp(0, height - 1) * width + col.clamp(0, width - 1), inside


# Both work with numbers: a tensor of them would have to be sent to the device, for which the host
# would wait.


def _to_grid(width: int, height: int, matrix: Tensor) -> Tensor:
    """After a matrix (..., 2, 3) to pixels, to grid_sample's coordinates: g = 2 p / size - 1."""
    x, y = matrix.unbind(dim=-2)
    grid = torch.stack([x * (2 / width), y * (2 / height)], dim=-2)
    return torch.cat([grid[..., :2], grid[..., 2:] - 1], dim=-1)


def _from_grid(width: int, height: int, matrix: Tensor) -> Tensor:
    """Before a matrix (..., 2, 3) from pixels, from those coordinates: p = (g + 1) size / 2."""
    x, y = matrix[..., 0] * (width / 2), matrix[..., 1] * (height / 2)
    return torch.stack([x, y, matrix[..., 2] + x + y], dim=-1)
