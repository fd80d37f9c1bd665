"""Going on with a training only where it is the same training."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule

from sscl_geo.errors import TrainingError
from sscl_geo.run_folder import RunFolder, read_checkpoint

HARMLESS = frozenset({"cache", "strict", "length"})
"""Options that change how fast a training goes, or how far, but not what it learns.

The order of pairs depends on ``num_workers``, so that is none of them.
"""


def find_checkpoint(
    folder: RunFolder | None,
    task: LightningModule,
    data: LightningDataModule,
    *,
    resume: bool,
    facts: Mapping[str, Any] | None = None,
    harmless: Collection[str] = HARMLESS,
) -> Path | None:
    """The checkpoint to go on from, in a folder that is made ready for the training.

    Args:
        folder: folder of the run; there is no checkpoint if None.
        task: what is to go on.
        data: its data.
        resume: False removes a checkpoint in place of going on from it.
        facts: as in :func:`check_same_run`.
        harmless: as in :func:`check_same_run`.

    Raises:
        TrainingError: if the checkpoint is damaged or belongs to another training.
    """
    last = None if folder is None else folder.prepare(resume=resume)
    if last is not None:
        checkpoint = read_checkpoint(last)
        check_same_run(checkpoint, last, task, data, facts=facts, harmless=harmless)
    return last


def check_same_run(
    checkpoint: Mapping[str, Any],
    path: Path,
    task: LightningModule,
    data: LightningDataModule,
    *,
    facts: Mapping[str, Any] | None = None,
    harmless: Collection[str] = HARMLESS,
) -> None:
    """Refuse a checkpoint of another task, or of the same with other options.

    Args:
        checkpoint: what Lightning wrote.
        path: where it lies, for the message.
        task: what is to go on.
        data: its data.
        facts: what else the training goes by, as its
            :class:`~sscl_geo.callbacks.checkpoints.Checkpoints` were given it.
        harmless: options that may differ.

    Raises:
        TrainingError: naming the first option that differs.
    """
    states: Mapping[str, Any] = checkpoint["callbacks"]
    kept = states.get("Checkpoints", {})
    wanted: dict[str, Any] = {
        "task": type(task).__name__,
        **(facts or {}),
        **task.hparams,
        **data.hparams,
    }
    saved = {
        "task": kept.get("task", type(task).__name__),
        **kept.get("facts", {}),
        **checkpoint.get(LightningModule.CHECKPOINT_HYPER_PARAMS_KEY, {}),
        **checkpoint.get(LightningDataModule.CHECKPOINT_HYPER_PARAMS_KEY, {}),
    }
    for name, value in wanted.items():
        if name in harmless or name.startswith("_") or name not in saved:
            continue
        if _plain(saved[name]) != _plain(value):
            raise TrainingError(
                f"{path} belongs to a training with {name} {saved[name]}, not {value}; "
                "choose another --out, or start anew with --no-resume."
            )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
