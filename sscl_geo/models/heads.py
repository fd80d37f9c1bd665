"""Projection and prediction heads of both branches."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sscl_geo.errors import ConfigError


def dense_mlp(
    in_channels: int, hidden: int, out_channels: int, *, normalized: bool = True
) -> nn.Sequential:
    """Two-layer head for each cell of a feature map.

    Args:
        in_channels: channels of the map.
        hidden: channels of the hidden layer.
        out_channels: channels of the result.
        normalized: normalise the hidden layer over the batch, as BYOL does (Grill et al., 2020,
            section 3.2); DenseCL does not.
    """
    norm = [nn.BatchNorm2d(hidden)] if normalized else []
    return nn.Sequential(
        nn.Conv2d(in_channels, hidden, 1, bias=not normalized),
        *norm,
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
        pyramid: use the coarser levels too; else only that of the stride.

    Raises:
        ConfigError: if the encoder has no features to use.
    """

    def __init__(
        self,
        channels: list[int],
        stride: int,
        hidden: int,
        out_channels: int,
        pyramid: bool = True,
    ) -> None:
        super().__init__()
        self.levels = [
            level
            for level, width in enumerate(channels)
            if width > 0 and (2**level == stride or (pyramid and 2**level > stride))
        ]
        if not self.levels:
            raise ConfigError(
                f"The encoder has no features at a stride of {stride}; choose another dense_stride."
            )
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


class DecoderProjector(nn.Module):
    """Decode the features with a segmentation network's decoder and project each cell.

    The decoder is trained with the consistency branch, so that fine-tuning starts with it.

    Args:
        decoder: maps an encoder's features to a map at a stride of ``stride`` or finer.
        channels: channels of that map.
        stride: stride of the result; the map is averaged over its cells.
        hidden: channels inside the head.
        out_channels: channels of the projection.
    """

    def __init__(
        self, decoder: nn.Module, channels: int, stride: int, hidden: int, out_channels: int
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.stride = stride
        self.project = dense_mlp(channels, hidden, out_channels)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Project a batch.

        Args:
            features: an encoder's features, finest first; the first at the stride of the image.

        Returns:
            tensor of shape (B, out_channels, h, w), h and w those of the image over the stride.
        """
        height, width = features[0].shape[-2:]
        cells = (height // self.stride, width // self.stride)
        return self.project(F.adaptive_avg_pool2d(self.decoder(features), cells))


class Propagation(nn.Module):
    """Replace each cell by a sum over its view, weighted by similarity.

    The pixel propagation module of PixPro (Xie et al., CVPR 2021, equations 4 and 5):
    ``y_i = sum_j max(cos(x_i, x_j), 0)^2 g(x_j)``, with g a 1x1 convolution. Cells without data
    take no part.

    Args:
        channels: channels of the features.
        pool: j runs over means of pool x pool cells; 1 is PixPro's sum over all cells, 2 costs a
            quarter of it.
    """

    def __init__(self, channels: int, pool: int = 1) -> None:
        super().__init__()
        self.transform = nn.Conv2d(channels, channels, 1)
        self.pool = pool

    def forward(self, features: Tensor, valid: Tensor) -> Tensor:
        """Propagate a batch.

        Args:
            features: shape (B, C, h, w).
            valid: float or bool of shape (B, h, w), 0 for cells without data.

        Returns:
            tensor of shape (B, C, h, w).
        """
        share = valid[:, None].to(features)
        keys = features
        if self.pool > 1:
            whole = F.avg_pool2d(share, self.pool, ceil_mode=True)
            keys = F.avg_pool2d(features * share, self.pool, ceil_mode=True)
            keys, share = keys / whole.clamp(min=1e-6), whole
        values = self.transform(keys) * share
        # float32: squares of small bf16 similarities would vanish.
        with torch.autocast(features.device.type, enabled=False):
            unit = F.normalize(features.float().flatten(2), dim=1)
            unit_keys = F.normalize(keys.float().flatten(2), dim=1)
            weight = (unit_keys.mT @ unit).clamp(min=0).square()
        mixed = values.flatten(2) @ weight.to(values.dtype)
        return mixed.unflatten(2, (features.shape[-2], features.shape[-1]))
