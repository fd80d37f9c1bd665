"""What all methods of pretraining have in common."""

import copy
from abc import abstractmethod
from typing import Any

import torch
from lightly.utils.scheduler import cosine_schedule
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torchgeo.tasks.base import BaseTask

from sscl_geo.errors import ConfigError
from sscl_geo.models.encoders import build_encoder
from sscl_geo.models.hypercolumns import hypercolumns
from sscl_geo.tasks.health import feature_health, mean_cosine
from sscl_geo.tasks.pair_views import PairViews
from sscl_geo.tasks.schedule import OptimizerName, optimizer_with_schedule, parameter_groups


class PairTask(BaseTask):
    """Learn an encoder from pairs of views of the same ground, without labels.

    The common part of all methods: the encoder, the momentum target of those that have one, the
    optimiser and its schedule, and what is logged. A method adds its heads and its terms.

    Batches are those of :class:`~sscl_geo.datamodules.pairs.PairDataModule`. Both views go through
    a network in one batch, so batch normalisation sees both. Each step logs ``train_loss``, each
    term as ``train_<term>``, the share of valid pixels as ``train_valid``, and for each branch
    (``instance``, ``dense``) every ``monitor_every`` steps ``train_<branch>_std``,
    ``train_<branch>_rank`` (see :func:`~sscl_geo.tasks.health.feature_health`) and
    ``train_<branch>_cosine``, the mean cosine of what a method makes similar, and as
    ``train_weight_norm`` the length of all the encoder's weights. Dense methods log the share of
    cells that have a counterpart as ``train_overlap``. No step waits for the device.

    Args:
        encoder: name of the encoder, of segmentation-models-pytorch or (``tu-…``) timm.
        in_channels: number of bands.
        weights: weights to start from, see :func:`~sscl_geo.models.encoders.build_encoder`.
        projection_dim: channels of the projections.
        hidden_dim: channels inside the heads.
        momentum: momentum of the target at the first step; rises to 1 on a cosine.
        lr: greatest learning rate.
        optimizer: ``"adamw"``, ``"sgd"`` or ``"lars"`` (for batches of a thousand pairs or more).
        weight_decay: weight decay; none on biases and normalisation.
        warmup_steps: steps over which the learning rate rises, at most a quarter of all.
        base_batch: number of pairs in a step, over all devices, that ``lr`` is meant for; it is
            scaled in proportion to the true number (Goyal et al., 2017). None takes ``lr`` as is.
        monitor_every: steps between two looks at the spread of features.

    Raises:
        ConfigError: if an option is out of range.
    """

    ignore = "weights"  # loading a checkpoint must not fetch them again
    monitor = "train_loss"
    has_target = True
    """True if the method compares with a momentum target."""

    def __init__(
        self,
        encoder: str = "resnet18",
        in_channels: int = 4,
        weights: str | None = None,
        *,
        projection_dim: int = 128,
        hidden_dim: int = 512,
        momentum: float = 0.99,
        lr: float = 1e-3,
        optimizer: OptimizerName = "adamw",
        weight_decay: float = 1e-4,
        warmup_steps: int = 20,
        base_batch: int | None = None,
        monitor_every: int = 10,
    ) -> None:
        if not 0 <= momentum <= 1:
            raise ConfigError(f"momentum is {momentum}; give a number from 0 to 1.")
        batch = 1 if base_batch is None else base_batch
        if min(projection_dim, hidden_dim, monitor_every, batch) < 1:
            raise ConfigError(
                f"projection_dim, hidden_dim, monitor_every and base_batch are {projection_dim}, "
                f"{hidden_dim}, {monitor_every} and {base_batch}; each must be at least 1."
            )
        self.weights = weights
        super().__init__()

    @abstractmethod
    def build_networks(self) -> dict[str, nn.Module]:
        """The encoder, under ``"encoder"``, and the heads that the target copies."""

    def build_predictors(self) -> None:
        """Set modules that the target does not have."""

    @property
    @abstractmethod
    def term_weights(self) -> dict[str, float]:
        """Weight of each term of the loss, by name; terms of weight 0 left out."""

    def weights_now(self) -> dict[str, float]:
        """Weight of each term at this step."""
        return self.term_weights

    @abstractmethod
    def compute_terms(self, views: PairViews) -> dict[str, Tensor]:
        """Terms of the loss, scalars by name."""

    def configure_models(self) -> None:
        """Build the online network and its target."""
        model = nn.ModuleDict(self.build_networks())
        # cuDNN's and oneDNN's fast convolutions want channels last.
        self.model = model.to(memory_format=torch.channels_last)
        if self.has_target:
            self.target = copy.deepcopy(self.model).requires_grad_(requires_grad=False)
        self.build_predictors()

    def build_encoder(self) -> nn.Module:
        """The encoder that the options name."""
        return build_encoder(self.hparams["encoder"], self.hparams["in_channels"], self.weights)

    @property
    def encoder(self) -> nn.Module:
        """The online encoder, which is what pretraining is for."""
        return self.model["encoder"]

    def segmenter_state(self) -> dict[str, Tensor]:
        """Weights that fine-tuning can start from.

        Returns:
            state dict by the names of segmentation-models-pytorch: ``encoder.…``.
        """
        return {f"encoder.{name}": value for name, value in self.encoder.state_dict().items()}

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of normalised images (B, C, H, W), finest first."""
        return self.encoder(image)

    def dense_features(self, image: Tensor, stride: int = 8) -> Tensor:
        """Features of each cell of normalised images, for probes and embeddings.

        The same for every method: all levels of the encoder alone, from ``stride`` on.

        Args:
            image: shape (B, C, H, W), normalised.
            stride: pixels per cell.

        Returns:
            shape (B, D, H / stride, W / stride).
        """
        return hypercolumns(self.encoder(image), stride)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Loss of a batch of pairs.

        Args:
            batch: ``image`` (B, 2, C, H, W) normalised, ``valid`` (B, 2, H, W), ``pixel_to_map``
                (B, 2, 2, 3) float64.
            batch_idx: number of the batch.

        Returns:
            weighted sum of the terms.

        Raises:
            TrainingError: if the batch has a single pair or other bands.
        """
        views = PairViews.from_batch(batch, self.hparams["in_channels"])
        terms = self.compute_terms(views)
        weights = self.weights_now()
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        self.log_values({"loss": loss, **terms, "valid": views.valid.float().mean()}, views)
        if self.global_step % self.hparams["monitor_every"] == 0:
            norm = get_total_norm([p.detach() for p in self.encoder.parameters()])
            self.log_values({"weight_norm": norm}, views)
        return loss

    def log_values(self, values: dict[str, Tensor], views: PairViews) -> None:
        """Log values as ``train_<name>``."""
        self.log_dict({f"train_{k}": v for k, v in values.items()}, batch_size=views.pairs)

    def log_branch(
        self,
        branch: str,
        views: PairViews,
        projected: Tensor,
        pair: tuple[Tensor, Tensor],
        weight: Tensor,
    ) -> None:
        """Log spread, rank and agreement of a branch, every ``monitor_every`` steps.

        Args:
            branch: ``"instance"`` or ``"dense"``.
            views: the batch.
            projected: projections of the online network, shape (2 B, C) or (2 B, C, h, w).
            pair: the two features that the method makes similar, shaped alike.
            weight: where they count, shape (2 B) or (2 B, h, w).
        """
        if self.global_step % self.hparams["monitor_every"]:
            return
        values = feature_health(projected, views.has_data(projected))
        values["cosine"] = mean_cosine(*pair, weight)
        self.log_values({f"{branch}_{k}": v for k, v in values.items()}, views)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, then move the target: once a step, however many batches were accumulated."""
        super().optimizer_step(*args, **kwargs)
        if self.has_target:
            self._move_target()

    @torch.no_grad()
    def _move_target(self) -> None:
        total = self.total_steps
        momentum = cosine_schedule(min(self.global_step, total), total, self.hparams["momentum"], 1)
        torch._foreach_lerp_(
            list(self.target.parameters()), list(self.model.parameters()), 1 - momentum
        )

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole training.

        Raises:
            ConfigError: if the trainer was given no end.
        """
        total = self.trainer.estimated_stepping_batches
        if total == float("inf"):
            raise ConfigError("Training has no end; give the trainer max_steps or max_epochs.")
        return int(total)

    def configure_optimizers(self) -> Any:
        """The optimiser with warm-up and cosine decay."""
        h = self.hparams
        return optimizer_with_schedule(
            parameter_groups(self, h["weight_decay"]),
            h["lr"] * self._lr_factor(),
            min(h["warmup_steps"], max(1, self.total_steps // 4)),
            self.total_steps,
            h["optimizer"],
        )

    def _lr_factor(self) -> float:
        """The linear rule: true number of pairs in a step over ``base_batch``."""
        base = self.hparams["base_batch"]
        if base is None:
            return 1.0
        trainer = self.trainer
        pairs = getattr(getattr(trainer, "datamodule", None), "batch_size", None)
        if pairs is None:
            raise ConfigError(
                "base_batch scales lr by the batch size, which only a data module tells; train "
                "with PairDataModule, or leave base_batch out."
            )
        return pairs * trainer.world_size * trainer.accumulate_grad_batches / base
