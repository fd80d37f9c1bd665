"""PixPro: consistency of neighbouring cells after propagation."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sscl_geo.errors import ConfigError
from sscl_geo.geometry.cell_distances import cell_distances
from sscl_geo.models.encoders import feature_channels
from sscl_geo.models.heads import Propagation, dense_mlp
from sscl_geo.tasks.pair_task import PairTask
from sscl_geo.tasks.pair_views import PairViews, swap


class PixPro(PairTask):
    """Make propagated cells similar to the target's cells near by on the ground.

    Xie et al., "Propagate Yourself: Exploring Pixel-Level Consistency for Unsupervised Visual
    Representation Learning", CVPR 2021. Two cells belong together if their centres are less than
    ``distance`` of the larger cell's diagonal apart. Distances are those on the ground, so that
    rotations count, which the authors' code does not know.

    Args:
        encoder: name of the encoder, of segmentation-models-pytorch or (``tu-…``) timm.
        in_channels: number of bands.
        weights: weights to start from, see :func:`~sscl_geo.models.encoders.build_encoder`.
        distance: greatest distance of cells that belong together, in diagonals of a cell.
        min_valid: least share of valid pixels for a cell to count, 0 to 1.
        options: those of :class:`~sscl_geo.tasks.pair_task.PairTask`.

    Raises:
        ConfigError: if an option is out of range.
    """

    def __init__(
        self,
        encoder: str = "resnet18",
        in_channels: int = 4,
        weights: str | None = None,
        *,
        distance: float = 0.7,
        min_valid: float = 0.5,
        **options: Any,
    ) -> None:
        if distance <= 0:
            raise ConfigError(f"distance is {distance}; give a number above 0.")
        super().__init__(encoder, in_channels, weights, **options)

    @property
    def term_weights(self) -> dict[str, float]:
        """The dense term alone."""
        return {"dense": 1.0}

    def build_networks(self) -> dict[str, nn.Module]:
        """Encoder and projector of cells."""
        encoder, h = self.build_encoder(), self.hparams
        width = feature_channels(encoder)[-1]
        head = dense_mlp(width, h["hidden_dim"], h["projection_dim"])
        return {"encoder": encoder, "dense_projector": head}

    def build_predictors(self) -> None:
        """The pixel propagation module."""
        self.propagation = Propagation(self.hparams["projection_dim"])

    def compute_terms(self, views: PairViews) -> dict[str, Tensor]:
        """The dense term."""
        projected = self.model["dense_projector"](self.encoder(views.image)[-1])
        with torch.no_grad():
            features = self.target["encoder"](views.image)[-1]
            target = swap(self.target["dense_projector"](features))
        shape, least = (projected.shape[-2], projected.shape[-1]), self.hparams["min_valid"]
        match, has_data = views.match(shape, least), views.cells(shape, least)
        propagated = self.propagation(projected, has_data)
        known = has_data.flatten(1)
        close = cell_distances(match) < self.hparams["distance"] * 2**0.5 * _larger(views)
        belongs = (close & known[:, :, None] & swap(known)[:, None]).float()
        agreeing = (propagated, match.exchange(swap(target)))
        self.log_branch("dense", views, projected, agreeing, match.weight.flatten(0, 1))
        self.log_values({"overlap": belongs.amax(dim=2).mean()}, views)
        return {"dense": _matched_cosine(propagated, target, belongs)}


def _larger(views: PairViews) -> Tensor:
    """Size of the larger cell in units of the other view's cells, shape (2 B, 1, 1)."""
    area = torch.linalg.det(views.pixel_to_map[..., :2]).abs().flatten()
    return (area / swap(area)).sqrt().clamp(min=1).float()[:, None, None]


def _matched_cosine(online: Tensor, target: Tensor, belongs: Tensor) -> Tensor:
    """Mean over views of the negative mean cosine of the cells that belong together, in float32."""
    with torch.autocast(online.device.type, enabled=False):
        own = F.normalize(online.float().flatten(2), dim=1)
        other = F.normalize(target.detach().float().flatten(2), dim=1)
        count = belongs.sum(dim=(1, 2))
        cosine = ((own.mT @ other) * belongs).sum(dim=(1, 2)) / count.clamp(min=1)
        return -cosine.sum() / (count > 0).sum().clamp(min=1)
