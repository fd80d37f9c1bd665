"""BYOL put together from lightly's parts, the way its documentation shows."""

import copy
from typing import Any

import lightning.pytorch as pl
import timm
import torch
from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.utils.scheduler import cosine_schedule
from torch import Tensor


class LightlyBYOL(pl.LightningModule):
    """A peer for the benchmark: encoder of timm, heads, loss and momentum of lightly.

    Args:
        encoder: timm's name.
        in_channels: number of bands.
    """

    def __init__(self, encoder: str, in_channels: int) -> None:
        super().__init__()
        self.backbone = timm.create_model(encoder, in_chans=in_channels, num_classes=0)
        width: Any = self.backbone.num_features
        self.projection_head = BYOLProjectionHead(width, 4096, 256)
        self.prediction_head = BYOLPredictionHead(256, 4096, 256)
        self.backbone_momentum = copy.deepcopy(self.backbone)
        self.projection_head_momentum = copy.deepcopy(self.projection_head)
        deactivate_requires_grad(self.backbone_momentum)
        deactivate_requires_grad(self.projection_head_momentum)
        self.criterion = NegativeCosineSimilarity()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Loss of a batch of pairs, ``image`` (B, 2, C, H, W)."""
        momentum = cosine_schedule(self.global_step, self.trainer.max_steps, 0.996, 1)
        update_momentum(self.backbone, self.backbone_momentum, m=momentum)
        update_momentum(self.projection_head, self.projection_head_momentum, m=momentum)
        first, second = batch["image"].unbind(1)
        p0, z0 = self._online(first), self._target(first)
        p1, z1 = self._online(second), self._target(second)
        loss = 0.5 * (self.criterion(p0, z1) + self.criterion(p1, z0))
        self.log("train_loss", loss, batch_size=len(first))
        return loss

    def configure_optimizers(self) -> Any:
        """The optimiser of the other sides."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3)

    def _online(self, image: Tensor) -> Tensor:
        return self.prediction_head(self.projection_head(self.backbone(image)))

    @torch.no_grad()
    def _target(self, image: Tensor) -> Tensor:
        return self.projection_head_momentum(self.backbone_momentum(image)).detach()
