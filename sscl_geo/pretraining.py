"""Pretraining an encoder on raw scenes, from files to a bundle."""

import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import pandas as pd
import torch
from torchgeo.datasets import GeoDataset

import sscl_geo
from sscl_geo.bundle import Bundle, save_bundle
from sscl_geo.callbacks.checkpoints import Checkpoints
from sscl_geo.callbacks.collapse import CollapseMonitor
from sscl_geo.callbacks.plateau import Plateau
from sscl_geo.datamodules.pairs import PairDataModule
from sscl_geo.errors import BandError, ConfigError, TrainingError
from sscl_geo.io.atomic import atomic_path, ensure_folder
from sscl_geo.io.scene import Scene
from sscl_geo.io.statistics import BandStatistics
from sscl_geo.io.units import common_units
from sscl_geo.loggers import LoggerName, open_loggers
from sscl_geo.losses.info_nce import queue_size_for
from sscl_geo.progress import is_main_rank
from sscl_geo.resuming import find_checkpoint
from sscl_geo.run_folder import RunFolder
from sscl_geo.tasks.methods import build_task, method_options
from sscl_geo.tasks.pair_task import PairTask
from sscl_geo.tasks.sscl import SSCCL
from sscl_geo.trainer_options import TrainerOptions
from sscl_geo.training import fit


@dataclass(frozen=True, eq=False)
class PretrainResult:
    """What pretraining gives.

    Attributes:
        bundle: the encoder.
        history: a row a step: ``step``, ``loss``, each term of it; spread, effective rank and mean
            cosine of the features of each branch (``instance_std``, ``instance_rank``,
            ``instance_cosine``, ``dense_std``, …), the share of cells with a counterpart
            (``overlap``) and of valid pixels (``valid``); speed and waiting for data.
        scenes: what was trained on.
    """

    bundle: Bundle
    history: pd.DataFrame
    scenes: tuple[Scene, ...]


def pretrain(
    scenes: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | GeoDataset,
    *,
    out: str | os.PathLike[str] | None = None,
    run: str | os.PathLike[str] | None = None,
    resume: bool = True,
    task: PairTask | None = None,
    method: str = "sscl",
    encoder_name: str = "resnet18",
    bands: Sequence[str] | None = None,
    steps: int = 1000,
    batch_size: int = 32,
    patch_size: int = 128,
    overlap: tuple[float, float] = (0.3, 1.0),
    zoom: tuple[float, float] = (0.7, 1.5),
    rotation: float = 0.0,
    min_valid: float = 0.5,
    lr: float = 1e-3,
    num_workers: int = 0,
    accelerator: str = "auto",
    seed: int = 0,
    task_options: Mapping[str, Any] | None = None,
    trainer_options: TrainerOptions | None = None,
    checkpoint_steps: int | None = None,
    checkpoint_minutes: float = 10.0,
    loggers: Sequence[LoggerName] = ("tensorboard",),
    on_collapse: Literal["warn", "stop"] = "warn",
    patience: int | None = None,
    callbacks: Sequence[pl.Callback] = (),
    **pairs: Any,
) -> PretrainResult:
    """Pretrain an encoder.

    Args:
        scenes: files, folders or patterns; or a :class:`~sscl_geo.datasets.scenes.SceneDataset`
            with options of its own; or any TorchGeo dataset of images, also ``a | b`` and
            ``a & b``.
        out: bundle to write; none if None.
        run: folder for checkpoints, ``metrics.csv``, ``statistics.csv`` and the files of loggers;
            nothing of these is written if None.
        resume: go on from the last checkpoint in ``run`` if there is one; otherwise it is removed.
        task: a task with options of its own, in place of ``method``, ``encoder_name``, ``lr`` and
            ``task_options``.
        method: what to learn by, see :func:`~sscl_geo.tasks.methods.build_task`.
        encoder_name: name of the encoder.
        bands: names of the bands; all if None.
        steps: optimiser steps.
        batch_size: pairs a batch, on each device.
        patch_size: height and width of a view, in pixels.
        overlap: least and greatest share of the smaller view that two views share, 0 to 1.
        zoom: least and greatest ground sampling distance of a view, in pixels of its scene.
        rotation: greatest rotation of a view, in degrees.
        min_valid: least share of valid pixels in a view, 0 to 1.
        lr: greatest learning rate.
        num_workers: reading processes.
        accelerator: Lightning's name of the device kind: ``auto``, ``cpu``, ``gpu``, ``mps``.
        seed: seed of weights, draws and augmentation.
        task_options: further options of :func:`~sscl_geo.tasks.methods.build_task`.
        trainer_options: devices, precision and the like, in place of ``accelerator``.
        checkpoint_steps: optimiser steps between checkpoints; by time alone if None.
        checkpoint_minutes: minutes between checkpoints.
        loggers: loggers that write into ``run``.
        on_collapse: warn, or end with an error, when a branch collapses.
        patience: stop after so many steps without a lower mean loss; never if None.
        callbacks: further callbacks.
        pairs: further options of :class:`~sscl_geo.datamodules.pairs.PairDataModule`, such as
            ``aoi``, ``dates``, ``clouds``, ``max_days_apart`` and ``cache``.

    Returns:
        the encoder as a bundle, and the history of training.

    Raises:
        TrainingError: if the batch is too small, there are no steps, the loss is not finite, the
            checkpoint in ``run`` belongs to another training, or torchrun or Slurm started another
            number of processes.
        BandError: if the task takes another number of bands than the scenes have.
        SSCLGeoError: whatever is wrong with the scenes.
    """
    if batch_size < 2 or steps < 1:
        raise TrainingError(
            f"Pretraining with {steps} steps of {batch_size} pairs on a device is impossible; take "
            "at least 1 step and 2 pairs, since batch normalisation needs several samples."
        )
    options = trainer_options or TrainerOptions(accelerator=accelerator)
    options.check_launcher()
    pl.seed_everything(seed, verbose=False)
    data = PairDataModule(
        _as_given(scenes),
        bands=bands,
        patch_size=patch_size,
        batch_size=batch_size,
        length=steps * batch_size * options.accumulate * options.world_size,
        overlap=overlap,
        zoom=zoom,
        rotation=rotation,
        min_valid=min_valid,
        num_workers=num_workers,
        seed=seed,
        **pairs,
    )
    data.setup("fit")
    bands_found = len(_statistics(data).bands)
    if task is None:
        extra = dict(task_options or {})
        _check_own_names(extra)
        if "queue_size" in method_options(method):
            extra.setdefault("queue_size", queue_size_for(_distinct_views(data)))
        task = build_task(method, encoder=encoder_name, in_channels=bands_found, lr=lr, **extra)
    if task.hparams["in_channels"] != bands_found:
        raise BandError(
            f"The task takes {task.hparams['in_channels']} bands but the scenes have {bands_found} "
            f"({', '.join(_statistics(data).bands)}); build it with in_channels={bands_found}, or "
            "choose bands by name."
        )
    folder = None if run is None else RunFolder(Path(run))
    checkpoint = find_checkpoint(folder, task, data, resume=resume)
    if folder is not None and is_main_rank():
        with atomic_path(ensure_folder(folder.root) / folder.statistics.name) as temporary:
            _statistics(data).to_frame().to_csv(temporary, index=False)
    watchers: list[pl.Callback] = [CollapseMonitor(on_collapse=on_collapse), *callbacks]
    if patience is not None:
        watchers.append(Plateau(patience))
    if folder is not None:
        watchers.append(Checkpoints(folder.checkpoints, checkpoint_steps, checkpoint_minutes))
    with ExitStack() as opened:
        started = []
        if folder is not None:
            started = opened.enter_context(open_loggers(loggers, folder.root, folder.step()))
        history = fit(
            task,
            data,
            steps,
            "pretrain",
            options=options,
            callbacks=watchers,
            loggers=started,
            metrics=None if folder is None else folder.metrics,
            checkpoint=checkpoint,
        )
    bundle = _to_bundle(task, data, {"steps": str(task.trainer.global_step), "seed": str(seed)})
    if out is not None and is_main_rank():
        save_bundle(bundle, Path(out))
    return PretrainResult(bundle, history, _scenes(data))


def _as_given(
    scenes: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | GeoDataset,
) -> list[str] | GeoDataset:
    """Paths as text, which a checkpoint can hold; a dataset as it is."""
    if isinstance(scenes, GeoDataset):
        return scenes
    paths = [scenes] if isinstance(scenes, str | os.PathLike) else scenes
    return [os.fspath(path) for path in paths]


def _method(task: PairTask) -> str:
    """The method and its terms, for who finds the bundle."""
    inferred = ", reimplemented from the abstract" if isinstance(task, SSCCL) else ""
    return f"{type(task).__name__}{inferred} ({', '.join(task.term_weights)})"


def _statistics(data: PairDataModule) -> BandStatistics:
    if data.statistics is None:
        raise TrainingError("The data module is not set up; call its setup method first.")
    return data.statistics


def _scenes(data: PairDataModule) -> tuple[Scene, ...]:
    if data.scenes is None:
        raise TrainingError("The data module is not set up; call its setup method first.")
    return data.scenes.scenes


def _distinct_views(data: PairDataModule) -> int:
    """How many views of the mean size fit into the scenes side by side."""
    low, high = data.hparams["zoom"]
    side = data.hparams["patch_size"] * (low * high) ** 0.5
    return int(sum(height * width for height, width in (s.shape for s in _scenes(data))) / side**2)


def _check_own_names(options: dict[str, Any]) -> None:
    """Refuse options of the task that the training has under a name of its own."""
    own = {"method": "method", "encoder": "encoder", "in_channels": "bands", "lr": "lr"}
    for name in own.keys() & options.keys():
        raise ConfigError(
            f"The option {name} of the method has one of its own in training; give --{own[name]}."
        )


def _to_bundle(task: PairTask, data: PairDataModule, provenance: dict[str, str]) -> Bundle:
    statistics, scenes = _statistics(data), _scenes(data)
    scene = scenes[0]
    return Bundle(
        kind="encoder",
        encoder=task.hparams["encoder"],
        decoder=task.hparams.get("decoder"),
        bands=statistics.bands,
        mean=statistics.mean,
        std=statistics.std,
        resolution=scene.pixel_size,
        resolution_unit=scene.crs.units[0],
        patch_size=data.hparams["patch_size"],
        classes=None,
        provenance={
            "method": _method(task),
            "scenes": ", ".join(Path(s.path).name for s in scenes[:20]),
            "sscl_geo": sscl_geo.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            **provenance,
        },
        # Encoders under their own names, so that they load as they are; see Bundle.
        state_dict={
            name.removeprefix("encoder."): value for name, value in task.segmenter_state().items()
        },
        units=common_units(scenes, statistics.bands),
    )
