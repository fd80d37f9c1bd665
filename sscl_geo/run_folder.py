"""The folder of a training: what lies in it and under which names."""

from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from sscl_geo.callbacks.checkpoints import Checkpoints
from sscl_geo.errors import TrainingError
from sscl_geo.progress import is_main_rank


@dataclass(frozen=True)
class RunFolder:
    """The folder of a training; one of fine-tuning has but a checkpoint, and only until its end.

    Attributes:
        root: the folder.
    """

    root: Path

    @classmethod
    def beside(cls, out: Path) -> "RunFolder":
        """Folder of the run that makes ``out``: ``out`` itself, or ``NAME.run`` beside a bundle.

        Example:
            >>> from pathlib import Path
            >>> from sscl_geo.run_folder import RunFolder
            >>> RunFolder.beside(Path("encoder.safetensors")).root.name
            'encoder.run'
            >>> RunFolder.beside(Path("runs/first")).bundle.as_posix()
            'runs/first/encoder.safetensors'
        """
        return cls(out.with_suffix(".run") if out.suffix == ".safetensors" else out)

    @property
    def bundle(self) -> Path:
        """The encoder, where ``out`` is the folder."""
        return self.root / "encoder.safetensors"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoint."""
        return self.root / "checkpoints"

    @property
    def last(self) -> Path:
        """The last checkpoint."""
        return self.checkpoints / Checkpoints.NAME

    @property
    def metrics(self) -> Path:
        """Table of what was logged, a row a step."""
        return self.root / "metrics.csv"

    @property
    def statistics(self) -> Path:
        """Table of the bands' statistics, a row a band."""
        return self.root / "statistics.csv"

    @property
    def curves(self) -> Path:
        """Picture of the table."""
        return self.root / "curves.png"

    @property
    def pca(self) -> Path:
        """Picture of dense features over a scene."""
        return self.root / "pca.png"

    def step(self) -> int | None:
        """Optimiser steps that the last checkpoint holds; None without a checkpoint.

        Raises:
            TrainingError: if the checkpoint is damaged.
        """
        return None if not self.last.is_file() else int(read_checkpoint(self.last)["global_step"])

    def prepare(self, *, resume: bool) -> Path | None:
        """Remove what a run that was killed while writing has left, and find where to go on.

        Args:
            resume: False removes the last checkpoint too.

        Returns:
            the last checkpoint; None if there is none.
        """
        if is_main_rank():
            for partial in self.checkpoints.glob(".*.partial.ckpt"):
                partial.unlink(missing_ok=True)
            if not resume:
                self.last.unlink(missing_ok=True)
        return self.last if resume and self.last.is_file() else None

    def forget(self) -> None:
        """Remove the last checkpoint, and the folders if nothing else is in them."""
        self.last.unlink(missing_ok=True)
        for folder in (self.checkpoints, self.root):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, its tensors mapped from the file; it runs no code.

    Raises:
        TrainingError: if it is damaged.
    """
    try:
        return torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except (RuntimeError, EOFError, ValueError, OSError, UnpicklingError) as error:
        raise TrainingError(
            f"Cannot read the checkpoint {path}, which is damaged or not one of a training; "
            "remove it, or start anew with --no-resume."
        ) from error
