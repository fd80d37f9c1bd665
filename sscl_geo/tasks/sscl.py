"""SSCCL: pretraining an encoder by spatial and semantic consistency."""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from lightly.models.modules.heads import BYOLPredictionHead, BYOLProjectionHead
from lightly.utils.debug import std_of_l2_normalized
from lightly.utils.scheduler import cosine_schedule
from torch import Tensor, nn
from torchgeo.tasks.base import BaseTask

from sscl_geo.errors import ConfigError
from sscl_geo.geometry.correspondences import Correspondences, cell_valid_share, correspondences
from sscl_geo.losses.dense_cosine import DenseCosineLoss
from sscl_geo.models.encoders import build_encoder
from sscl_geo.models.heads import DenseProjector, Propagation, dense_mlp
from sscl_geo.tasks.schedule import adamw_with_schedule, parameter_groups

Batch = dict[str, Tensor]


class SSCCL(BaseTask):
    """Learn an encoder from pairs of views of the same ground, without labels.

    A reimplementation from the abstract of "Spatial and Semantic Consistency Contrastive Learning
    for Self-Supervised Semantic Segmentation of Remote Sensing Images" (IEEE TGRS 61, 2023, art.
    5621112): an *instance branch* makes the views similar as wholes, a *consistency branch* makes
    the features of their overlap similar, point by point on the ground. Everything else, the
    losses, heads, weights and the momentum target among it, is inferred (see the method page) and
    an option here.

    Each term is a symmetric negative cosine to a momentum encoder (BYOL; Grill et al., 2020):

    * instance: pooled features, projected and predicted;
    * spatial: dense features at matched cells, see
      :func:`~sscl_geo.geometry.correspondences.correspondences`;
    * semantic: the same after similarity propagation, see
      :class:`~sscl_geo.models.heads.Propagation`.

    Batches are those of :class:`~sscl_geo.datamodules.pairs.PairDataModule`.

    Args:
        encoder: name of the encoder, of segmentation-models-pytorch or (``tu-…``) timm.
        in_channels: number of bands.
        weights: name of pretrained weights to start from (``imagenet``), or None.
        instance_weight: weight of the instance term; 0 leaves the branch out.
        spatial_weight: weight of the spatial term; 0 leaves it out.
        semantic_weight: weight of the semantic term; 0 leaves it out.
        dense_stride: pixels of the view per dense feature cell: 4, 8, 16 or 32.
        projection_dim: channels of the projections.
        hidden_dim: channels inside the heads.
        min_valid: least share of valid pixels for a cell to count, 0 to 1.
        momentum: momentum of the target at the first step; rises to 1 on a cosine.
        lr: greatest learning rate of AdamW.
        weight_decay: weight decay; none on biases and normalisation.
        warmup_steps: steps over which the learning rate rises.

    Raises:
        ConfigError: if an option is out of range.
    """

    ignore = None
    monitor = "train_loss"

    def __init__(
        self,
        encoder: str = "resnet18",
        in_channels: int = 4,
        weights: str | None = None,
        instance_weight: float = 1.0,
        spatial_weight: float = 0.5,
        semantic_weight: float = 0.5,
        dense_stride: int = 8,
        projection_dim: int = 128,
        hidden_dim: int = 512,
        min_valid: float = 0.5,
        momentum: float = 0.99,
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        warmup_steps: int = 20,
    ) -> None:
        terms = (instance_weight, spatial_weight, semantic_weight)
        if min(terms) < 0 or max(terms) == 0:
            raise ConfigError(
                f"The weights of the instance, spatial and semantic terms are {terms}; none may be "
                "negative and at least one must be above 0."
            )
        if dense_stride not in (4, 8, 16, 32):
            raise ConfigError(f"dense_stride is {dense_stride}; choose 4, 8, 16 or 32.")
        super().__init__()

    def configure_models(self) -> None:
        """Build the online and the target network."""
        h = self.hparams
        encoder = build_encoder(h["encoder"], h["in_channels"], h["weights"])
        channels = list(encoder.out_channels)  # ty: ignore[invalid-argument-type]
        hidden, dim = h["hidden_dim"], h["projection_dim"]
        online = {"encoder": encoder}
        if self.uses_instance:
            online["projector"] = BYOLProjectionHead(channels[-1], hidden, dim)
        if self.uses_dense:
            online["dense_projector"] = DenseProjector(
                channels, h["dense_stride"], hidden // 2, dim
            )
        self.model = nn.ModuleDict(online)
        self.target = copy.deepcopy(self.model).requires_grad_(requires_grad=False)
        if self.uses_instance:
            self.predictor = BYOLPredictionHead(dim, hidden, dim)
        if h["spatial_weight"] > 0:
            self.dense_predictor = dense_mlp(dim, hidden // 2, dim)
        if h["semantic_weight"] > 0:
            self.propagation = Propagation(dim)

    def configure_losses(self) -> None:
        """Build the loss of the dense terms."""
        self.dense_loss = DenseCosineLoss()

    @property
    def uses_instance(self) -> bool:
        """True if the instance branch takes part."""
        return self.hparams["instance_weight"] > 0

    @property
    def uses_dense(self) -> bool:
        """True if the consistency branch takes part."""
        return self.hparams["spatial_weight"] > 0 or self.hparams["semantic_weight"] > 0

    @property
    def encoder(self) -> nn.Module:
        """The online encoder, which is what pretraining is for."""
        return self.model["encoder"]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of normalised images (B, C, H, W), finest first."""
        return self.encoder(image)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch of pairs.

        Args:
            batch: ``image`` (B, 2, C, H, W) normalised, ``valid`` (B, 2, H, W), ``pixel_to_map``
                (B, 2, 2, 3) float64.
            batch_idx: number of the batch.

        Returns:
            weighted sum of the terms.
        """
        image, valid = batch["image"], batch["valid"]
        views = image.flatten(0, 1)
        features = self.encoder(views)
        with torch.no_grad():
            target_features = self.target["encoder"](views)
        terms: dict[str, Tensor] = {}
        if self.uses_instance:
            terms["instance"] = self._instance_term(features, target_features, valid)
        if self.uses_dense:
            terms |= self._dense_terms(features, target_features, batch)
        loss = torch.stack([self.hparams[f"{k}_weight"] * v for k, v in terms.items()]).sum()
        self._log({"loss": loss, **terms, "valid": valid.float().mean()}, len(image))
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Move the target towards the online network."""
        total = int(self.trainer.estimated_stepping_batches)
        step = min(self.global_step, total)
        momentum = cosine_schedule(step, total, self.hparams["momentum"], 1.0)
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.target.parameters()), list(self.model.parameters()), 1 - momentum
            )

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and cosine decay."""
        h = self.hparams
        total = int(self.trainer.estimated_stepping_batches)
        warmup = min(h["warmup_steps"], max(1, total // 4))
        return adamw_with_schedule(
            parameter_groups(self, h["weight_decay"]), h["lr"], warmup, total
        )

    def _instance_term(
        self, features: list[Tensor], target_features: list[Tensor], valid: Tensor
    ) -> Tensor:
        projected = self.model["projector"](_pool(features[-1], valid))
        predicted = self.predictor(projected)
        with torch.no_grad():
            target = self.target["projector"](_pool(target_features[-1], valid))
        with torch.no_grad():
            self._log({"instance_std": _relative_std(projected)}, len(valid))
        # The target of each view is the other one.
        other = target.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
        return -F.cosine_similarity(predicted.float(), other.float(), dim=1).mean()

    def _dense_terms(
        self, features: list[Tensor], target_features: list[Tensor], batch: Batch
    ) -> dict[str, Tensor]:
        projected = self.model["dense_projector"](features)
        with torch.no_grad():
            target = self.target["dense_projector"](target_features).unflatten(0, (-1, 2))
        shape = _shape(projected)
        valid, least = batch["valid"], self.hparams["min_valid"]
        match = correspondences(
            batch["pixel_to_map"], _shape(valid), shape, valid=valid, min_valid=least
        )
        online: dict[str, Tensor] = {}
        if self.hparams["spatial_weight"] > 0:
            online["spatial"] = self.dense_predictor(projected)
        if self.hparams["semantic_weight"] > 0:
            cells = cell_valid_share(valid.flatten(0, 1), shape) >= least
            online["semantic"] = self.propagation(projected, cells)
        with torch.no_grad():
            cells = projected.movedim(1, -1).flatten(0, -2)
            logs = {"dense_std": _relative_std(cells), "overlap": match.weight.mean()}
            self._log(logs, len(valid))
        return {name: self._symmetric(value, target, match) for name, value in online.items()}

    def _symmetric(self, online: Tensor, target: Tensor, match: Correspondences) -> Tensor:
        """Mean of the dense loss over both directions."""
        views = online.unflatten(0, (-1, 2))
        losses = [
            self.dense_loss(views[:, i], match.sample(target[:, 1 - i], i), match.weight[:, i])
            for i in (0, 1)
        ]
        return torch.stack(losses).mean()

    def _log(self, values: dict[str, Tensor], batch_size: int) -> None:
        self.log_dict({f"train_{k}": v for k, v in values.items()}, batch_size=batch_size)


def _pool(features: Tensor, valid: Tensor) -> Tensor:
    """Mean of features over cells that have data; over all cells where none has."""
    share = cell_valid_share(valid.flatten(0, 1), _shape(features))[:, None]
    total = share.sum(dim=(2, 3), keepdim=True)
    weight = torch.where(total > 0, share, torch.ones_like(share))
    return (features * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3))


def _relative_std(features: Tensor) -> Tensor:
    """Std of l2-normalised features (N, C) over that of isotropic ones: 1 healthy, 0 collapsed."""
    return std_of_l2_normalized(features.float()) * features.shape[1] ** 0.5


def _shape(tensor: Tensor) -> tuple[int, int]:
    """(height, width) of the last two dimensions."""
    return tensor.shape[-2], tensor.shape[-1]
