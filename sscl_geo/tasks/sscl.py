"""SSCCL: pretraining an encoder by spatial and semantic consistency."""

from typing import Any

import torch
from lightly.models.modules.heads import BYOLPredictionHead, BYOLProjectionHead
from torch import Tensor, nn

from sscl_geo.errors import ConfigError
from sscl_geo.losses.drawn_cells import draw_cells, take_cells
from sscl_geo.losses.info_nce import InfoNCELoss
from sscl_geo.losses.objective import Objective, build_objective
from sscl_geo.models.encoders import feature_channels
from sscl_geo.models.heads import DecoderProjector, DenseProjector, Propagation, dense_mlp
from sscl_geo.models.learned_factors import LearnedFactors
from sscl_geo.models.pixel_factors import WAVES
from sscl_geo.models.segmenters import FROZEN, SEGMENTERS, build_segmenter
from sscl_geo.tasks.pair_task import PairTask
from sscl_geo.tasks.pair_views import PairViews, swap

_DENSE = ("spatial", "semantic")
_DRAWN_CELLS = 64
_DRAWN_PIXELS = 128


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
        instance_objective: ``"cosine"``, ``"infonce"`` (against a queue) or ``"vicreg"``.
        dense_objective: the same for the spatial and the semantic term; ``"infonce"`` draws 64
            matched cells of each view.
        temperature: temperature of ``"infonce"``.
        queue_size: features in each queue of ``"infonce"``; see
            :func:`~sscl_geo.losses.info_nce.queue_size_for`.
        dense_stride: pixels of the view per dense feature cell: 2, 4, 8, 16 or 32.
        dense_pyramid: fuse the levels of that stride and coarser; else use that level alone.
        dense_warmup_steps: first steps, in which the dense terms do not count.
        cell_center: where in its rectangle of pixels a cell lies, see
            :func:`~sscl_geo.geometry.correspondences.correspondences`.
        decoder: train a decoder with the dense terms: a key of
            :data:`~sscl_geo.models.segmenters.SEGMENTERS`, but for the probes; none if None.
        pixel_factors: number of :class:`~sscl_geo.models.pixel_factors.PixelFactors` to learn of
            the pairs beside the encoder: spatial consistency at the resolution of single pixels; 0
            for none. They take no part in the loss.
        pixel_distance: greatest distance of the pixels that factors shall agree at, in pixels of
            the views.
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
        instance_objective: Objective = "cosine",
        dense_objective: Objective = "cosine",
        temperature: float = 0.2,
        queue_size: int = 4096,
        dense_stride: int = 8,
        dense_pyramid: bool = True,
        dense_warmup_steps: int = 0,
        cell_center: float = 0.5,
        decoder: str | None = None,
        pixel_factors: int = 0,
        pixel_distance: float = 4.0,
        min_valid: float = 0.5,
        **options: Any,
    ) -> None:
        terms = (instance_weight, spatial_weight, semantic_weight)
        if min(terms) < 0 or max(terms) == 0:
            raise ConfigError(
                f"The weights of the instance, spatial and semantic terms are {terms}; none may be "
                "negative and at least one must be above 0."
            )
        if dense_stride not in (2, 4, 8, 16, 32):
            raise ConfigError(f"dense_stride is {dense_stride}; choose 2, 4, 8, 16 or 32.")
        if decoder in FROZEN:
            raise ConfigError(
                f"The decoder {decoder} has no decoder to train; choose another of "
                f"{', '.join(name for name in SEGMENTERS if name not in FROZEN)}."
            )
        if decoder is not None and max(spatial_weight, semantic_weight) == 0:
            raise ConfigError(
                f"The decoder {decoder} is trained by the dense terms, but their weights are 0; "
                "raise spatial_weight or semantic_weight, or leave the decoder out."
            )
        if not 0 <= pixel_factors <= in_channels + WAVES or pixel_distance <= 0:
            raise ConfigError(
                f"pixel_factors is {pixel_factors} and pixel_distance {pixel_distance}; give up to "
                f"{in_channels + WAVES} factors, 0 for none, and a distance above 0."
            )
        super().__init__(encoder, in_channels, weights, **options)

    @property
    def term_weights(self) -> dict[str, float]:
        """Weights of the instance, spatial and semantic term, without those that are 0."""
        weights = {name: self.hparams[f"{name}_weight"] for name in ("instance", *_DENSE)}
        return {name: weight for name, weight in weights.items() if weight > 0}

    @property
    def uses_dense(self) -> bool:
        """True if the consistency branch takes part."""
        return any(name in self.term_weights for name in _DENSE)

    def weights_now(self) -> dict[str, float]:
        """Weights at this step: the dense terms wait until their warm-up is over."""
        waits = self.global_step < self.hparams["dense_warmup_steps"]
        return {k: 0.0 if waits and k in _DENSE else w for k, w in self.term_weights.items()}

    def build_networks(self) -> dict[str, nn.Module]:
        """The encoder, and a projector for each branch that takes part."""
        h = self.hparams
        hidden, dim, stride = h["hidden_dim"], h["projection_dim"], h["dense_stride"]
        encoder = self.build_encoder()
        networks = {"encoder": encoder}
        channels = feature_channels(encoder)
        if "instance" in self.term_weights:
            networks["projector"] = BYOLProjectionHead(channels[-1], hidden, dim)
        if h["decoder"] is not None:
            network: Any = build_segmenter(h["decoder"], h["encoder"], h["in_channels"], classes=1)
            # Some decoders change their encoder (dilation), so theirs is taken.
            network.encoder.load_state_dict(encoder.state_dict())
            networks["encoder"] = network.encoder
            width = network.segmentation_head[0].in_channels
            networks["dense_projector"] = DecoderProjector(
                network.decoder, width, stride, hidden // 2, dim
            )
        elif self.uses_dense:
            networks["dense_projector"] = DenseProjector(
                channels, stride, hidden // 2, dim, h["dense_pyramid"]
            )
        return networks

    def build_predictors(self) -> None:
        """A predictor for each term."""
        h = self.hparams
        hidden, dim = h["hidden_dim"], h["projection_dim"]
        if "instance" in self.term_weights:
            self.predictor = BYOLPredictionHead(dim, hidden, dim)
        if "spatial" in self.term_weights:
            self.dense_predictor = dense_mlp(dim, hidden // 2, dim)
        if h["pixel_factors"]:
            self.pixel_factors = LearnedFactors(h["in_channels"], h["pixel_factors"])
        if "semantic" in self.term_weights:
            # Similarity to ground of 16 pixels is as good, and costs little at any stride.
            self.propagation = Propagation(dim, max(1, 16 // h["dense_stride"]))

    def configure_losses(self) -> None:
        """Build the loss of each branch."""
        h = self.hparams
        options = (h["projection_dim"], h["queue_size"], h["temperature"])
        if "instance" in self.term_weights:
            self.instance_loss = build_objective(h["instance_objective"], *options)
        if self.uses_dense:
            self.dense_loss = build_objective(h["dense_objective"], *options)

    def segmenter_state(self) -> dict[str, Tensor]:
        """Weights of encoder and, if they were trained, decoder and pixel factors.

        Returns:
            state dict by the names of segmentation-models-pytorch: ``encoder.…``, ``decoder.…``;
            and ``pixel_factors.…``.
        """
        state = super().segmenter_state()
        if self.hparams["decoder"] is not None:
            decoder: nn.Module = self.model["dense_projector"].decoder
            state |= {f"decoder.{name}": value for name, value in decoder.state_dict().items()}
        if self.hparams["pixel_factors"]:
            self.pixel_factors.solve()
            factors = self.pixel_factors.weights()
            state |= {f"pixel_factors.{name}": value for name, value in factors.items()}
        return state

    def compute_terms(self, views: PairViews) -> dict[str, Tensor]:
        """The terms whose weight is not 0."""
        if self.hparams["pixel_factors"]:
            near = views.neighbours(_DRAWN_PIXELS, self.hparams["pixel_distance"])
            self.pixel_factors.learn(*near)
        features = self.encoder(views.image)
        with torch.no_grad():
            target_features = self.target["encoder"](views.image)
        terms: dict[str, Tensor] = {}
        if "instance" in self.term_weights:
            terms["instance"] = self._instance_term(views, features[-1], target_features[-1])
        if self.uses_dense:
            terms |= self._dense_terms(views, features, target_features)
        return terms

    def _instance_term(self, views: PairViews, features: Tensor, target_features: Tensor) -> Tensor:
        projected = self.model["projector"](views.pool(features))
        with torch.no_grad():
            target = swap(self.target["projector"](views.pool(target_features)))
        predicted, weight = self.predictor(projected), views.paired
        self.log_branch("instance", views, projected, (predicted, target), weight)
        loss = self.instance_loss(predicted, target, weight)
        if isinstance(self.instance_loss, InfoNCELoss):
            self.instance_loss.enqueue(target)
        return loss

    def _dense_terms(
        self, views: PairViews, features: list[Tensor], target_features: list[Tensor]
    ) -> dict[str, Tensor]:
        projected = self.model["dense_projector"](features)
        shape, least = (projected.shape[-2], projected.shape[-1]), self.hparams["min_valid"]
        match = views.match(shape, least, self.hparams["cell_center"])
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
        if isinstance(self.dense_loss, InfoNCELoss):
            return self._contrast(self.dense_loss, online, target, weight)
        return {name: self.dense_loss(value, target, weight) for name, value in online.items()}

    def _contrast(
        self, loss: InfoNCELoss, online: dict[str, Tensor], target: Tensor, weight: Tensor
    ) -> dict[str, Tensor]:
        """InfoNCE of some cells of each view; one of each goes into the queue."""
        cells = draw_cells(weight, _DRAWN_CELLS)
        target, weight = take_cells(target, cells), take_cells(weight, cells)
        terms = {k: loss(take_cells(v, cells), target, weight) for k, v in online.items()}
        loss.enqueue(target[:, :, 0])
        return terms
