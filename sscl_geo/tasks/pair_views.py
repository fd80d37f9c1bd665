"""Both views of a batch of pairs, as networks take them."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sscl_geo.errors import TrainingError
from sscl_geo.geometry.correspondences import (
    Correspondences,
    cell_valid_share,
    correspondences,
)
from sscl_geo.losses.drawn_cells import draw_cells, take_cells


def swap(rows: Tensor) -> Tensor:
    """Exchange the two views of each pair: rows 0, 1, 2, 3 … become 1, 0, 3, 2 …."""
    return rows.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


@dataclass(frozen=True, eq=False)
class PairViews:
    """The views of a batch in rows: row 2 i + v is view v of pair i.

    Attributes:
        image: float of shape (2 B, C, H, W), normalised, channels last in memory.
        valid: bool of shape (2 B, H, W), pixels that have data.
        pixel_to_map: float64 of shape (B, 2, 2, 3).
    """

    image: Tensor
    valid: Tensor
    pixel_to_map: Tensor

    @classmethod
    def from_batch(cls, batch: dict[str, Tensor], in_channels: int) -> "PairViews":
        """Take the views of a batch of :class:`~sscl_geo.datasets.pairs.PairDataset`.

        Args:
            batch: ``image`` (B, 2, C, H, W), ``valid`` (B, 2, H, W), ``pixel_to_map`` (B, 2, 2, 3).
            in_channels: number of bands that the network takes.

        Raises:
            TrainingError: if there is a single pair, or not two views, or other bands.
        """
        pairs, views, bands = batch["image"].shape[:3]
        if pairs < 2:
            raise TrainingError(
                "A batch holds a single pair on this device, but batch normalisation and every "
                "measure of collapse compare several; raise the batch size to 2 pairs a device."
            )
        if views != 2:
            raise TrainingError(
                f"A batch holds {views} views of each place, but training compares 2; draw pairs "
                "with 2 views."
            )
        if bands != in_channels:
            raise TrainingError(
                f"The scenes give {bands} bands but the network takes {in_channels}; set "
                "in_channels to the number of bands."
            )
        image = batch["image"].flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return cls(image, batch["valid"].flatten(0, 1), batch["pixel_to_map"])

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return len(self.pixel_to_map)

    @property
    def paired(self) -> Tensor:
        """float32 of shape (2 B): 1 where both views of the pair have data, else 0."""
        has_data = self.valid.flatten(1).any(dim=1)
        return (has_data & swap(has_data)).float()

    def pool(self, features: Tensor) -> Tensor:
        """Mean of features (2 B, D, h, w) over cells that have data; over all where none has."""
        share = cell_valid_share(self.valid, (features.shape[-2], features.shape[-1]))[:, None]
        total = share.sum(dim=(2, 3), keepdim=True)
        weight = torch.where(total > 0, share, torch.ones_like(share))
        return (features * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3))

    def cells(self, shape: tuple[int, int], min_valid: float) -> Tensor:
        """Bool of shape (2 B, h, w): cells with at least a share ``min_valid`` of valid pixels."""
        return cell_valid_share(self.valid, shape) >= min_valid

    def has_data(self, features: Tensor) -> Tensor:
        """Where features (2 B, C) or (2 B, C, h, w) stand on data at all: 1, else 0."""
        if features.ndim == 2:
            return self.valid.flatten(1).any(dim=1).float()
        shape = (features.shape[-2], features.shape[-1])
        return (cell_valid_share(self.valid, shape) > 0).float()

    def neighbours(self, count: int, distance: float) -> tuple[Tensor, Tensor, Tensor]:
        """Spectra of single pixels, and of pixels of the other view that lie near them.

        Args:
            count: pixels to draw from each view, among those with a counterpart as far as there are
                any.
            distance: greatest distance of the other pixel from the counterpart, in its own pixels.

        Returns:
            spectra (N, C), those near them (N, C), and weights (N): 1 where both have data.
        """
        height, width = self.valid.shape[-2:]
        match = self.match((height, width), 1.0)
        drawn = draw_cells(match.weight.flatten(0, 1), count)
        image, valid = self.image.float(), self.valid[:, None].float()
        places = take_cells(match.grid.flatten(0, 1).movedim(-1, 1), drawn).mT
        angle = torch.rand_like(places[..., 0]) * (2 * math.pi)
        # The root spreads places evenly over the disc.
        radius = distance * torch.rand_like(angle).sqrt()
        x = places[..., 0] + radius * angle.cos() * (2 / width)
        y = places[..., 1] + radius * angle.sin() * (2 / height)
        near = torch.stack([x, y], dim=-1)[:, None]
        other = swap(torch.cat([image, valid], dim=1))
        # The nearest pixel: between pixels there is no spectrum, and noise would be averaged.
        there = F.grid_sample(other, near, mode="nearest", align_corners=False)[:, :, 0]
        weight = take_cells(match.weight.flatten(0, 1), drawn) * there[:, -1]
        here = take_cells(image, drawn)
        here, there = (spectra.mT.flatten(0, 1) for spectra in (here, there[:, :-1]))
        return here, there, weight.flatten()

    def match(
        self, shape: tuple[int, int], min_valid: float, cell_center: float = 0.5
    ) -> Correspondences:
        """Where each cell of a feature map of shape (h, w) lies in the other view of its pair."""
        valid = self.valid.unflatten(0, (-1, 2))
        size = (valid.shape[-2], valid.shape[-1])
        return correspondences(self.pixel_to_map, size, shape, valid, min_valid, cell_center)
