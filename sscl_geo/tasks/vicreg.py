"""VICReg: similarity, kept from collapse by variance and covariance."""

from typing import Any

from lightly.models.modules.heads import VICRegProjectionHead
from torch import Tensor, nn

from sscl_geo.losses.vicreg import VICRegLoss
from sscl_geo.models.encoders import feature_channels
from sscl_geo.tasks.pair_task import PairTask
from sscl_geo.tasks.pair_views import PairViews, swap


class VICReg(PairTask):
    """Make views similar while every channel varies and no two channels vary alike.

    Bardes, Ponce and LeCun, "VICReg: Variance-Invariance-Covariance Regularization for
    Self-Supervised Learning", ICLR 2022.

    Args:
        encoder: name of the encoder, of segmentation-models-pytorch or (``tu-…``) timm.
        in_channels: number of bands.
        weights: weights to start from, see :func:`~sscl_geo.models.encoders.build_encoder`.
        projection_dim: channels of the projections; the method needs many (8192 in the paper).
        hidden_dim: channels inside the heads.
        options: those of :class:`~sscl_geo.tasks.pair_task.PairTask`.

    Raises:
        ConfigError: if an option is out of range.
    """

    has_target = False

    def __init__(
        self,
        encoder: str = "resnet18",
        in_channels: int = 4,
        weights: str | None = None,
        *,
        projection_dim: int = 2048,
        hidden_dim: int = 2048,
        **options: Any,
    ) -> None:
        super().__init__(
            encoder,
            in_channels,
            weights,
            projection_dim=projection_dim,
            hidden_dim=hidden_dim,
            **options,
        )

    @property
    def term_weights(self) -> dict[str, float]:
        """The instance term alone."""
        return {"instance": 1.0}

    def build_networks(self) -> dict[str, nn.Module]:
        """Encoder and expander."""
        encoder, h = self.build_encoder(), self.hparams
        width = feature_channels(encoder)[-1]
        head = VICRegProjectionHead(width, h["hidden_dim"], h["projection_dim"])
        return {"encoder": encoder, "projector": head}

    def configure_losses(self) -> None:
        """Build the loss."""
        self.loss = VICRegLoss()

    def compute_terms(self, views: PairViews) -> dict[str, Tensor]:
        """The instance term."""
        return {"instance": self.instance_term(views, self.encoder(views.image)[-1])}

    def instance_term(self, views: PairViews, features: Tensor) -> Tensor:
        """VICReg of the pooled features (2 B, D, h, w)."""
        projected = self.model["projector"](views.pool(features))
        weight = views.paired
        self.log_branch("instance", views, projected, (projected, swap(projected)), weight)
        return self.loss(projected[::2], projected[1::2], weight[::2])
