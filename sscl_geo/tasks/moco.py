"""MoCo v2: contrast with a queue of views from a momentum target."""

from typing import Any

import torch
from lightly.models.modules.heads import MoCoProjectionHead
from torch import Tensor, nn

from sscl_geo.losses.info_nce import InfoNCELoss
from sscl_geo.models.encoders import feature_channels
from sscl_geo.tasks.pair_task import PairTask
from sscl_geo.tasks.pair_views import PairViews, swap


class MoCo(PairTask):
    """Find a view's partner among a queue of earlier views.

    Chen et al., "Improved Baselines with Momentum Contrastive Learning", 2020 (MoCo v2), in both
    directions. Batches need no shuffling: the target normalises both views together, so its
    statistics do not tell which views belong together.

    Args:
        encoder: name of the encoder, of segmentation-models-pytorch or (``tu-…``) timm.
        in_channels: number of bands.
        weights: weights to start from, see :func:`~sscl_geo.models.encoders.build_encoder`.
        queue_size: features in the queue; see :func:`~sscl_geo.losses.info_nce.queue_size_for`.
        temperature: divides the cosines.
        options: those of :class:`~sscl_geo.tasks.pair_task.PairTask`.

    Raises:
        ConfigError: if an option is out of range.
    """

    loss: InfoNCELoss

    def __init__(
        self,
        encoder: str = "resnet18",
        in_channels: int = 4,
        weights: str | None = None,
        *,
        queue_size: int = 4096,
        temperature: float = 0.2,
        **options: Any,
    ) -> None:
        super().__init__(encoder, in_channels, weights, **options)

    @property
    def term_weights(self) -> dict[str, float]:
        """The instance term alone."""
        return {"instance": 1.0}

    def build_networks(self) -> dict[str, nn.Module]:
        """Encoder and projector."""
        encoder, h = self.build_encoder(), self.hparams
        width = feature_channels(encoder)[-1]
        head = MoCoProjectionHead(width, h["hidden_dim"], h["projection_dim"])
        return {"encoder": encoder, "projector": head}

    def configure_losses(self) -> None:
        """Build the loss and its queue."""
        h = self.hparams
        self.loss = InfoNCELoss(h["projection_dim"], h["queue_size"], h["temperature"])

    def compute_terms(self, views: PairViews) -> dict[str, Tensor]:
        """The instance term."""
        projected = self.model["projector"](views.pool(self.encoder(views.image)[-1]))
        with torch.no_grad():
            pooled = views.pool(self.target["encoder"](views.image)[-1])
            keys = swap(self.target["projector"](pooled))
        weight = views.paired
        self.log_branch("instance", views, projected, (projected, keys), weight)
        loss = self.loss(projected, keys, weight)
        self.loss.enqueue(keys)
        return {"instance": loss}
