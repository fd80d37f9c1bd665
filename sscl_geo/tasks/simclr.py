"""SimCLR: contrast with the other views of the batch."""

from typing import Any

from lightly.models.modules.heads import SimCLRProjectionHead
from torch import Tensor, nn

from sscl_geo.errors import ConfigError
from sscl_geo.losses.nt_xent import NTXentLoss
from sscl_geo.models.encoders import feature_channels
from sscl_geo.tasks.pair_task import PairTask
from sscl_geo.tasks.pair_views import PairViews, swap


class SimCLR(PairTask):
    """Find a view's partner among all other views of the batch, over all devices.

    Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020.

    Args:
        encoder: name of the encoder, of segmentation-models-pytorch or (``tu-…``) timm.
        in_channels: number of bands.
        weights: weights to start from, see :func:`~sscl_geo.models.encoders.build_encoder`.
        temperature: divides the cosines.
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
        temperature: float = 0.1,
        **options: Any,
    ) -> None:
        if temperature <= 0:
            raise ConfigError(f"temperature is {temperature}; give a number above 0.")
        super().__init__(encoder, in_channels, weights, **options)

    @property
    def term_weights(self) -> dict[str, float]:
        """The instance term alone."""
        return {"instance": 1.0}

    def build_networks(self) -> dict[str, nn.Module]:
        """Encoder and projector."""
        encoder, h = self.build_encoder(), self.hparams
        width = feature_channels(encoder)[-1]
        head = SimCLRProjectionHead(width, h["hidden_dim"], h["projection_dim"])
        return {"encoder": encoder, "projector": head}

    def configure_losses(self) -> None:
        """Build the loss."""
        self.loss = NTXentLoss(self.hparams["temperature"])

    def compute_terms(self, views: PairViews) -> dict[str, Tensor]:
        """The instance term."""
        projected = self.model["projector"](views.pool(self.encoder(views.image)[-1]))
        weight = views.paired
        self.log_branch("instance", views, projected, (projected, swap(projected)), weight)
        return {"instance": self.loss(projected[::2], projected[1::2], weight[::2])}
