"""DenseCL: contrast of views and of cells that look most alike."""

from typing import Any

import torch
from lightly.models.modules.heads import DenseCLProjectionHead
from lightly.models.utils import select_most_similar
from torch import Tensor, nn

from sscl_geo.errors import ConfigError
from sscl_geo.losses.info_nce import InfoNCELoss
from sscl_geo.models.encoders import feature_channels
from sscl_geo.models.heads import dense_mlp
from sscl_geo.tasks.pair_task import PairTask
from sscl_geo.tasks.pair_views import PairViews, swap


class DenseCL(PairTask):
    """Find a view's partner, and each cell's most similar cell in it, among queues.

    Wang et al., "Dense Contrastive Learning for Self-Supervised Visual Pre-Training", CVPR 2021, in
    both directions. Cells match by their features, not by their place.

    Args:
        encoder: name of the encoder, of segmentation-models-pytorch or (``tu-…``) timm.
        in_channels: number of bands.
        weights: weights to start from, see :func:`~sscl_geo.models.encoders.build_encoder`.
        dense_weight: share of the dense term, 0 to 1; the rest is the instance term's.
        queue_size: features in each queue; see
            :func:`~sscl_geo.losses.info_nce.queue_size_for`.
        temperature: divides the cosines.
        min_valid: least share of valid pixels for a cell to count, 0 to 1.
        options: those of :class:`~sscl_geo.tasks.pair_task.PairTask`.

    Raises:
        ConfigError: if an option is out of range.
    """

    instance_loss: InfoNCELoss
    dense_loss: InfoNCELoss

    def __init__(
        self,
        encoder: str = "resnet18",
        in_channels: int = 4,
        weights: str | None = None,
        *,
        dense_weight: float = 0.5,
        queue_size: int = 4096,
        temperature: float = 0.2,
        min_valid: float = 0.5,
        **options: Any,
    ) -> None:
        if not 0 < dense_weight <= 1:
            raise ConfigError(f"dense_weight is {dense_weight}; give a number above 0, at most 1.")
        super().__init__(encoder, in_channels, weights, **options)

    @property
    def term_weights(self) -> dict[str, float]:
        """The instance and the dense term."""
        share = self.hparams["dense_weight"]
        return {"instance": 1 - share, "dense": share}

    def build_networks(self) -> dict[str, nn.Module]:
        """Encoder and both projectors."""
        encoder, h = self.build_encoder(), self.hparams
        hidden, dim = h["hidden_dim"], h["projection_dim"]
        width = feature_channels(encoder)[-1]
        return {
            "encoder": encoder,
            "projector": DenseCLProjectionHead(width, hidden, dim),
            "dense_projector": dense_mlp(width, hidden, dim, normalized=False),
        }

    def configure_losses(self) -> None:
        """Build both losses and their queues."""
        h = self.hparams
        options = (h["projection_dim"], h["queue_size"], h["temperature"])
        self.instance_loss = InfoNCELoss(*options)
        self.dense_loss = InfoNCELoss(*options)

    def compute_terms(self, views: PairViews) -> dict[str, Tensor]:
        """The instance and the dense term."""
        features = self.encoder(views.image)[-1]
        projected = self.model["projector"](views.pool(features))
        cells = self.model["dense_projector"](features)
        shape = (features.shape[-2], features.shape[-1])
        has_data = views.cells(shape, self.hparams["min_valid"])
        with torch.no_grad():
            target_features = self.target["encoder"](views.image)[-1]
            keys = self.target["projector"](views.pool(target_features))
            key_cells = self.target["dense_projector"](target_features)
            # Features are not negative, so that those set to 0 are never the most similar.
            known = swap(target_features * has_data[:, None])
            matched = select_most_similar(_rows(features), _rows(known), _rows(swap(key_cells)))
            matched = matched.mT.unflatten(2, shape)
        paired = views.paired
        weight = has_data * paired[:, None, None]
        self.log_branch("instance", views, projected, (projected, swap(keys)), paired)
        self.log_branch("dense", views, cells, (cells, matched), weight)
        terms = {
            "instance": self.instance_loss(projected, swap(keys), paired),
            "dense": self.dense_loss(cells, matched, weight),
        }
        self.instance_loss.enqueue(keys)
        self.dense_loss.enqueue(views.pool(key_cells))
        return terms


def _rows(features: Tensor) -> Tensor:
    """Cells of (N, C, h, w) as rows (N, h w, C)."""
    return features.flatten(2).mT
