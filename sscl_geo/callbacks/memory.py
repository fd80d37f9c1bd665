"""How much memory a training needs."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from sscl_geo.process_memory import peak_rss


class PeakMemory(Callback):
    """Log ``train_memory_gib``: the peak so far, of the GPU if there is one, else of the process.

    Of a GPU it is what tensors took, in GiB; reading it does not wait for the device.
    """

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Look at the peak."""
        # A CPU tensor: a plain number would be sent to the device and wait for it.
        value = torch.tensor(peak_bytes(pl_module.device) / 2**30)
        pl_module.log("train_memory_gib", value, batch_size=1)


def peak_bytes(device: torch.device) -> int:
    """Most memory so far, in bytes: allocated on a GPU, else resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return peak_rss()
