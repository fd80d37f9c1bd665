"""Projection and prediction heads of both branches."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def dense_mlp(in_channels: int, hidden: int, out_channels: int) -> nn.Sequential:
    """BYOL's two-layer head (Grill et al., 2020, section 3.2) for each cell of a feature map."""
    return nn.Sequential(
        nn.Conv2d(in_channels, hidden, 1, bias=False),
        nn.BatchNorm2d(hidden),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, out_channels, 1),
    )


class DenseProjector(nn.Module):
    """Fuse the deeper levels of an encoder at one stride and project each cell.

    Each level gets a 1x1 convolution, is enlarged to the finest of them, and all are summed, as in
    the top-down path of a feature pyramid network (Lin et al., 2017) without its smoothing.

    Args:
        channels: channels of the encoder's features at strides 1, 2, 4 …; 0 where it has none.
        stride: stride of the result; levels finer than this are left out.
        hidden: channels of the fused features.
        out_channels: channels of the projection.
    """

    def __init__(self, channels: list[int], stride: int, hidden: int, out_channels: int) -> None:
        super().__init__()
        self.levels = [
            level for level, width in enumerate(channels) if 2**level >= stride and width > 0
        ]
        self.lateral = nn.ModuleList(nn.Conv2d(channels[i], hidden, 1) for i in self.levels)
        self.project = nn.Sequential(
            nn.BatchNorm2d(hidden), nn.ReLU(inplace=True), nn.Conv2d(hidden, out_channels, 1)
        )

    def forward(self, features: list[Tensor]) -> Tensor:
        """Project a batch.

        Args:
            features: an encoder's features, finest first.

        Returns:
            tensor of shape (B, out_channels, h, w), h and w those of the finest level used.
        """
        chosen = [
            lateral(features[i]) for i, lateral in zip(self.levels, self.lateral, strict=True)
        ]
        size = chosen[0].shape[-2:]
        fused = chosen[0]
        for deeper in chosen[1:]:
            # Bilinear about cell centres keeps every level registered to the pixel grid.
            fused = fused + F.interpolate(deeper, size=size, mode="bilinear", align_corners=False)
        return self.project(fused)


class Propagation(nn.Module):
    """Replace each cell by a mean over all cells, weighted by similarity.

    The pixel propagation module of PixPro (Xie et al., CVPR 2021, equations 4 and 5):
    ``y_i = sum_j max(cos(x_i, x_j), 0)^sharpness g(x_j)``, with g a 1x1 convolution. Cells without
    data take no part.

    Args:
        channels: channels of the features.
        sharpness: exponent of the similarity; 2 in PixPro.
    """

    def __init__(self, channels: int, sharpness: float = 2.0) -> None:
        super().__init__()
        self.transform = nn.Conv2d(channels, channels, 1)
        self.sharpness = sharpness

    def forward(self, features: Tensor, valid: Tensor) -> Tensor:
        """Propagate a batch.

        Args:
            features: shape (B, C, h, w).
            valid: float or bool of shape (B, h, w), 0 for cells without data.

        Returns:
            tensor of shape (B, C, h, w).
        """
        # float32: squares of small bf16 similarities would vanish.
        with torch.autocast(features.device.type, enabled=False):
            unit = F.normalize(features.float().flatten(2), dim=1)
            weight = (unit.mT @ unit).clamp(min=0) ** self.sharpness
            weight = weight * valid.flatten(1)[:, :, None].to(weight)
        values = self.transform(features).flatten(2)
        return (values @ weight.to(values.dtype)).unflatten(2, features.shape[-2:])
