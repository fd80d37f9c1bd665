"""Which cells of two views look at the same ground."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sscl_geo.geometry.affine import transform_points, view_to_view


@dataclass(frozen=True)
class Correspondences:
    """Where the cells of each view lie in the other view.

    Direction 0 takes the cells of view 0 into view 1, direction 1 those of view 1 into view 0.

    Attributes:
        grid: float32 of shape (B, 2, h, w, 2): (x, y) in the other view as ``grid_sample`` takes
            it with ``align_corners=False``: -1 and 1 are its outer edges.
        weight: float32 of shape (B, 2, h, w): 1 where the cell's centre has a counterpart that can
            be interpolated and both are valid, else 0.
    """

    grid: Tensor
    weight: Tensor

    def sample(self, features: Tensor, direction: int) -> Tensor:
        """Features of the other view at the counterparts of this view's cells.

        Args:
            features: dense features of the *other* view, shape (B, C, h, w).
            direction: 0 or 1, the view whose cells ask.

        Returns:
            float32 of shape (B, C, h, w); meaningless where the weight is 0.
        """
        # Zero padding would shrink the features of the outermost half cells, border does not.
        # In float32: places in bfloat16 would be off by a tenth of a cell.
        return F.grid_sample(
            features.float(),
            self.grid[:, direction],
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )

    def exchange(self, features: Tensor) -> Tensor:
        """Features of both views, each sampled at the counterparts of the other's cells.

        Args:
            features: shape (2 B, C, h, w), row 2 i + v for view v of pair i.

        Returns:
            float32 of the same shape: row 2 i + v holds what the *other* view has at the cells of
            view v; meaningless where the weight is 0.
        """
        other = features.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
        return F.grid_sample(
            other.float(),
            self.grid.flatten(0, 1),
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )


def correspondences(
    pixel_to_map: Tensor,
    image_shape: tuple[int, int],
    feature_shape: tuple[int, int],
    valid: Tensor | None = None,
    min_valid: float = 0.5,
    cell_center: float = 0.5,
) -> Correspondences:
    """Match the feature cells of two views by their ground position, in both directions.

    A cell stands for the rectangle of pixels that it covers, and is matched by its centre. The
    centre is carried by ``inv(pixel_to_map_b) @ pixel_to_map_a``, computed in float64 about a
    local origin, hence exact under any crop, zoom, flip and rotation. A counterpart counts only
    where it lies within the hull of the other view's cell centres: between there and the view's
    edge the other view's features would have to be extrapolated.

    Args:
        pixel_to_map: float64 of shape (B, 2, 2, 3), the two views of each pair.
        image_shape: (height, width) of the views in pixels.
        feature_shape: (h, w) of the dense features in cells.
        valid: bool of shape (B, 2, height, width), pixels that have data; all if None.
        min_valid: least share of valid pixels for a cell to count, 0 to 1.
        cell_center: where in its rectangle of pixels a cell is taken to lie, along both axes, 0 to
            1: 0.5 is the centre, as decoders that enlarge features take it; 0.5 / stride is the
            centre of the receptive fields of padded convolutions, as in a ResNet.

    Returns:
        grids and weights, on the device of ``pixel_to_map``.
    """
    height, width = image_shape
    rows, cols = feature_shape
    device = pixel_to_map.device
    b_from_a = torch.stack(
        [
            view_to_view(pixel_to_map[:, 0], pixel_to_map[:, 1]),
            view_to_view(pixel_to_map[:, 1], pixel_to_map[:, 0]),
        ],
        dim=1,
    )
    x = (torch.arange(cols, device=device, dtype=torch.float64) + cell_center) * (width / cols)
    y = (torch.arange(rows, device=device, dtype=torch.float64) + cell_center) * (height / rows)
    centers = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 2)
    # Numbers, not a tensor of them: making one on the device would make the host wait for it.
    x, y = transform_points(b_from_a, centers).reshape(-1, 2, rows, cols, 2).unbind(dim=-1)
    x = x * (2 / width) - 1 + (1 - 2 * cell_center) / cols
    y = y * (2 / height) - 1 + (1 - 2 * cell_center) / rows
    # 1e-6: full overlap under a flip puts centres on the hull itself, but for rounding.
    inside = (x.abs() <= 1 - 1 / cols + 1e-6) & (y.abs() <= 1 - 1 / rows + 1e-6)
    grid, weight = torch.stack([x, y], dim=-1).float(), inside.float()
    if valid is not None:
        share = cell_valid_share(valid, feature_shape)
        there = F.grid_sample(
            share.flip(1).reshape(-1, 1, rows, cols),
            grid.reshape(-1, rows, cols, 2),
            padding_mode="border",
            align_corners=False,
        ).reshape(-1, 2, rows, cols)
        weight = weight * (share >= min_valid) * (there >= min_valid)
    return Correspondences(grid, weight)


def cell_valid_share(valid: Tensor, feature_shape: tuple[int, int]) -> Tensor:
    """Share of valid pixels in each feature cell.

    Args:
        valid: bool of shape (N, ..., H, W) with at most one dimension between.
        feature_shape: (h, w) of the dense features.

    Returns:
        float32 of shape (N, ..., h, w).
    """
    return F.adaptive_avg_pool2d(valid.float(), feature_shape)
