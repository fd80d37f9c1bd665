"""Going on with a training only where it is the same training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule

from sscl_geo.errors import TrainingError

_FREE = frozenset({"cache", "strict", "length"})
"""Options that change how fast a training goes, or how far, but not what it learns.

The order of pairs depends on ``num_workers``, so that is none of them.
"""


def check_same_run(
    checkpoint: Mapping[str, Any], path: Path, task: LightningModule, data: LightningDataModule
) -> None:
    """Refuse a checkpoint of another task, or of the same with other options.

    Args:
        checkpoint: what Lightning wrote.
        path: where it lies, for the message.
        task: what is to go on.
        data: its data.

    Raises:
        TrainingError: naming the first option that differs.
    """
    states: Mapping[str, Any] = checkpoint["callbacks"]
    was = states.get("Checkpoints", {}).get("task", type(task).__name__)
    wanted: dict[str, Any] = {"task": type(task).__name__, **task.hparams, **data.hparams}
    saved = {
        "task": was,
        **checkpoint.get(LightningModule.CHECKPOINT_HYPER_PARAMS_KEY, {}),
        **checkpoint.get(LightningDataModule.CHECKPOINT_HYPER_PARAMS_KEY, {}),
    }
    for name, value in wanted.items():
        if name in _FREE or name.startswith("_") or name not in saved:
            continue
        if _plain(saved[name]) != _plain(value):
            raise TrainingError(
                f"{path} belongs to a training with {name} {saved[name]}, not {value}; "
                "choose another --out, or start anew with --no-resume."
            )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
