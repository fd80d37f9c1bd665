"""Checkpoint files that appear whole or not at all."""

import os
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from sscl_geo.io.atomic import atomic_path


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints beside their final name, flush them to the disk, and rename them.

    Lightning's own writes a second copy in memory and does not wait for the disk, so a machine that
    goes down can leave an empty file in place of the last good one. Reading takes tensors and plain
    values only: a checkpoint runs no code.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike[str],
        storage_options: Any = None,
    ) -> None:
        """Write a checkpoint.

        Raises:
            OutputError: if the disk is full or the folder cannot be written to.
        """
        if storage_options is not None:
            raise TypeError("storage_options are for remote stores; this writes to a disk")
        with atomic_path(path) as temporary:
            torch.save(checkpoint, temporary)

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Any = "cpu",
        weights_only: bool | None = True,
    ) -> dict[str, Any]:
        """Read a checkpoint, never more than tensors and plain values."""
        return torch.load(path, map_location="cpu", weights_only=True)
