"""Batches of labelled patches of tiles, as a Lightning data module."""

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sscl_geo.studies.patches import TilePatches
from sscl_geo.transforms.patches import PatchAugmentation

Batch = dict[str, Tensor]


class PatchDataModule(pl.LightningDataModule):
    """Every training patch once an epoch, in a new order; validation patches after it.

    Args:
        train: labelled patches, at least two.
        val: validation patches.
        mean: mean of each band, raw units.
        std: standard deviation of each band, raw units.
        batch_size: patches a step.
        brightness: greatest shift in training, in standard deviations.
        contrast: greatest change of contrast in training, as a share.
        num_workers: reading processes.
        seed: of the order.
    """

    def __init__(
        self,
        train: TilePatches,
        val: TilePatches,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        *,
        batch_size: int = 16,
        brightness: float = 0.1,
        contrast: float = 0.1,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.train, self.val = train, val
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.train_aug = PatchAugmentation(mean, std, brightness=brightness, contrast=contrast)
        self.aug = PatchAugmentation(mean, std, moves=False, brightness=0, contrast=0)
        # A batch of one patch would stop batch normalisation; any other rest is used.
        self._drop_last = len(train) % batch_size == 1

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        whole, rest = divmod(len(self.train), self.batch_size)
        return whole + (rest > 1)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of labelled patches."""
        order = torch.Generator().manual_seed(self.seed)
        return DataLoader(
            self.train,
            batch_size=self.batch_size,
            shuffle=True,
            generator=order,
            drop_last=self._drop_last,
            **self._loading(),
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches of validation patches."""
        return DataLoader(self.val, batch_size=self.batch_size, **self._loading())

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:  # noqa: ARG002 - Lightning passes it by place
        """Normalise a batch on its device; in training also augment it."""
        training = bool(self.trainer and self.trainer.training)
        augment = self.train_aug if training else self.aug
        return augment.to(batch["image"].device)(batch)

    def _loading(self) -> dict[str, Any]:
        on_gpu = bool(self.trainer and self.trainer.strategy.root_device.type == "cuda")
        return {
            "num_workers": self.num_workers,
            "persistent_workers": self.num_workers > 0,
            "pin_memory": on_gpu,
        }
