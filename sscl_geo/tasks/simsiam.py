"""SimSiam: similarity without negatives and without a target network."""

from lightly.models.modules.heads import SimSiamPredictionHead, SimSiamProjectionHead
from torch import Tensor, nn

from sscl_geo.losses.cosine import CosineLoss
from sscl_geo.models.encoders import feature_channels
from sscl_geo.tasks.pair_task import PairTask
from sscl_geo.tasks.pair_views import PairViews, swap


class SimSiam(PairTask):
    """Predict each view's projection from the other's, with a stopped gradient.

    Chen and He, "Exploring Simple Siamese Representation Learning", CVPR 2021. Options are those of
    :class:`~sscl_geo.tasks.pair_task.PairTask`; the predictor's hidden layer is a quarter of
    ``projection_dim``, as in the paper.
    """

    has_target = False

    @property
    def term_weights(self) -> dict[str, float]:
        """The instance term alone."""
        return {"instance": 1.0}

    def build_networks(self) -> dict[str, nn.Module]:
        """Encoder and projector."""
        encoder, dim = self.build_encoder(), self.hparams["projection_dim"]
        width = feature_channels(encoder)[-1]
        head = SimSiamProjectionHead(width, self.hparams["hidden_dim"], dim)
        return {"encoder": encoder, "projector": head}

    def build_predictors(self) -> None:
        """The predictor with its bottleneck."""
        dim = self.hparams["projection_dim"]
        self.predictor = SimSiamPredictionHead(dim, max(1, dim // 4), dim)

    def configure_losses(self) -> None:
        """Build the loss."""
        self.loss = CosineLoss()

    def compute_terms(self, views: PairViews) -> dict[str, Tensor]:
        """The instance term."""
        projected = self.model["projector"](views.pool(self.encoder(views.image)[-1]))
        predicted, other, weight = self.predictor(projected), swap(projected), views.paired
        self.log_branch("instance", views, projected, (predicted, other), weight)
        return {"instance": self.loss(predicted, other, weight)}
