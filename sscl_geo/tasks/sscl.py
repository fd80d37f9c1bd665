"""SSCCL: pretraining an encoder by spatial and semantic consistency."""

from typing import Any

import torch
from lightly.models.modules.heads import BYOLPredictionHead, BYOLProjectionHead
from torch import Tensor, nn

from sscl_geo.errors import ConfigError
from sscl_geo.losses.dense_cosine import DenseCosineLoss
from sscl_geo.models.heads import DenseProjector, Propagation, dense_mlp
from sscl_geo.tasks.pair_task import PairTask
from sscl_geo.tasks.pair_views import PairViews, swap


class SSCCL(PairTask):
    """Make two views of the same ground similar, as wholes and point by point.

    A reimplementation from the abstract of "Spatial and Semantic Consistency Contrastive Learning
    for Self-Supervised Semantic Segmentation of Remote Sensing Images" (IEEE TGRS 61, 2023, art.
    5621112): an *instance branch* makes the views similar as wholes, a *consistency branch* makes
    the features of their overlap similar, point by point on the ground. Everything else, the
    losses, heads, weights and the momentum target among it, is inferred (see the method page) and
    an option here.

    Each term compares with a momentum target (BYOL; Grill et al., 2020), in both directions:

    * instance: pooled features, projected and predicted;
    * spatial: dense features at matched cells, see
      :func:`~sscl_geo.geometry.correspondences.correspondences`;
    * semantic: the same after similarity propagation, see
      :class:`~sscl_geo.models.heads.Propagation`.

    Args:
        encoder: name of the encoder, of segmentation-models-pytorch or (``tu-…``) timm.
        in_channels: number of bands.
        weights: weights to start from, see :func:`~sscl_geo.models.encoders.build_encoder`.
        instance_weight: weight of the instance term; 0 leaves the branch out.
        spatial_weight: weight of the spatial term; 0 leaves it out.
        semantic_weight: weight of the semantic term; 0 leaves it out.
        dense_stride: pixels of the view per dense feature cell: 4, 8, 16 or 32.
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
        instance_weight: float = 1.0,
        spatial_weight: float = 0.5,
        semantic_weight: float = 0.5,
        dense_stride: int = 8,
        min_valid: float = 0.5,
        **options: Any,
    ) -> None:
        terms = (instance_weight, spatial_weight, semantic_weight)
        if min(terms) < 0 or max(terms) == 0:
            raise ConfigError(
                f"The weights of the instance, spatial and semantic terms are {terms}; none may be "
                "negative and at least one must be above 0."
            )
        if dense_stride not in (4, 8, 16, 32):
            raise ConfigError(f"dense_stride is {dense_stride}; choose 4, 8, 16 or 32.")
        super().__init__(encoder, in_channels, weights, **options)

    @property
    def term_weights(self) -> dict[str, float]:
        """Weights of the instance, spatial and semantic term, without those that are 0."""
        names = ("instance", "spatial", "semantic")
        weights = {name: self.hparams[f"{name}_weight"] for name in names}
        return {name: weight for name, weight in weights.items() if weight > 0}

    def build_heads(self, channels: list[int]) -> dict[str, nn.Module]:
        """A projector for each branch that takes part."""
        h = self.hparams
        hidden, dim = h["hidden_dim"], h["projection_dim"]
        heads: dict[str, nn.Module] = {}
        if "instance" in self.term_weights:
            heads["projector"] = BYOLProjectionHead(channels[-1], hidden, dim)
        if self.term_weights.keys() & {"spatial", "semantic"}:
            heads["dense_projector"] = DenseProjector(channels, h["dense_stride"], hidden // 2, dim)
        return heads

    def build_predictors(self) -> None:
        """A predictor for each term."""
        hidden, dim = self.hparams["hidden_dim"], self.hparams["projection_dim"]
        if "instance" in self.term_weights:
            self.predictor = BYOLPredictionHead(dim, hidden, dim)
        if "spatial" in self.term_weights:
            self.dense_predictor = dense_mlp(dim, hidden // 2, dim)
        if "semantic" in self.term_weights:
            self.propagation = Propagation(dim)

    def configure_losses(self) -> None:
        """Build the loss of both branches."""
        self.loss = DenseCosineLoss()

    def compute_terms(self, views: PairViews) -> dict[str, Tensor]:
        """The terms whose weight is not 0."""
        features = self.encoder(views.image)
        with torch.no_grad():
            target_features = self.target["encoder"](views.image)
        terms: dict[str, Tensor] = {}
        if "instance" in self.term_weights:
            terms["instance"] = self._instance_term(views, features[-1], target_features[-1])
        if self.term_weights.keys() & {"spatial", "semantic"}:
            terms |= self._dense_terms(views, features, target_features)
        return terms

    def _instance_term(self, views: PairViews, features: Tensor, target_features: Tensor) -> Tensor:
        projected = self.model["projector"](views.pool(features))
        with torch.no_grad():
            target = swap(self.target["projector"](views.pool(target_features)))
        predicted, weight = self.predictor(projected), views.paired
        self.log_branch("instance", views, projected, (predicted, target), weight)
        return self.loss(predicted, target, weight)

    def _dense_terms(
        self, views: PairViews, features: list[Tensor], target_features: list[Tensor]
    ) -> dict[str, Tensor]:
        projected = self.model["dense_projector"](features)
        shape, least = (projected.shape[-2], projected.shape[-1]), self.hparams["min_valid"]
        match = views.match(shape, least)
        weight = match.weight.flatten(0, 1)
        with torch.no_grad():
            target = match.exchange(self.target["dense_projector"](target_features))
        online: dict[str, Tensor] = {}
        if "spatial" in self.term_weights:
            online["spatial"] = self.dense_predictor(projected)
        if "semantic" in self.term_weights:
            online["semantic"] = self.propagation(projected, views.cells(shape, least))
        agreeing = (next(iter(online.values())), target)
        self.log_branch("dense", views, projected, agreeing, weight)
        self.log_values({"overlap": match.weight.mean()}, views)
        return {name: self.loss(value, target, weight) for name, value in online.items()}
