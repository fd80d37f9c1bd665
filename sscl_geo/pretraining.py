"""Pretraining an encoder on raw scenes, from files to a bundle."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pandas as pd
import torch

import sscl_geo
from sscl_geo.bundle import Bundle, save_bundle
from sscl_geo.callbacks.collapse import CollapseMonitor
from sscl_geo.datamodules.pairs import PairDataModule
from sscl_geo.errors import TrainingError
from sscl_geo.tasks.sscl import SSCCL
from sscl_geo.training import fit


@dataclass(frozen=True, eq=False)
class PretrainResult:
    """What pretraining gives.

    Attributes:
        bundle: the encoder.
        history: a row a step: ``step``, ``loss``, ``instance``, ``spatial``, ``semantic``, the
            relative spread of the features of each branch (``instance_std``, ``dense_std``), the
            share of cells with a counterpart (``overlap``) and of valid pixels (``valid``).
    """

    bundle: Bundle
    history: pd.DataFrame


def pretrain(
    scenes: Sequence[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str] | None = None,
    task: SSCCL | None = None,
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
    **pairs: Any,
) -> PretrainResult:
    """Pretrain an encoder with SSCCL.

    Args:
        scenes: files, folders or patterns.
        out: bundle to write; none if None.
        task: a task with options of its own; made from ``encoder_name`` and ``lr`` if None.
        encoder_name: name of the encoder.
        bands: names of the bands; all if None.
        steps: optimiser steps.
        batch_size: pairs a step.
        patch_size: height and width of a view, in pixels.
        overlap: least and greatest share of the smaller view that two views share, 0 to 1.
        zoom: least and greatest ground sampling distance of a view, in pixels of its scene.
        rotation: greatest rotation of a view, in degrees.
        min_valid: least share of valid pixels in a view, 0 to 1.
        lr: greatest learning rate.
        num_workers: reading processes.
        accelerator: Lightning's name of the device kind: ``auto``, ``cpu``, ``gpu``, ``mps``.
        seed: seed of weights, draws and augmentation.
        pairs: further options of :class:`~sscl_geo.datamodules.pairs.PairDataModule`, such as
            ``aoi``, ``dates``, ``clouds``, ``max_days_apart`` and ``cache``.

    Returns:
        the encoder as a bundle, and the history of training.

    Raises:
        TrainingError: if the batch is too small, there are no steps, or the loss is not finite.
        SSCLGeoError: whatever is wrong with the scenes.
    """
    if batch_size < 2 or steps < 1:
        raise TrainingError(
            f"Pretraining with {steps} steps of {batch_size} pairs is impossible; take at least 1 "
            "step and 2 pairs, since batch normalisation needs several samples."
        )
    pl.seed_everything(seed, verbose=False)
    data = PairDataModule(
        [os.fspath(path) for path in scenes],
        bands=bands,
        patch_size=patch_size,
        batch_size=batch_size,
        length=steps * batch_size,
        overlap=overlap,
        zoom=zoom,
        rotation=rotation,
        min_valid=min_valid,
        num_workers=num_workers,
        seed=seed,
        **pairs,
    )
    data.setup("fit")
    if data.scenes is None or data.statistics is None:
        raise TrainingError("The data module is not set up; call its setup method first.")
    if task is None:
        task = SSCCL(encoder_name, in_channels=len(data.statistics.bands), lr=lr)
    history = fit(
        task, data, steps, "pretrain", accelerator=accelerator, callbacks=[CollapseMonitor()]
    )
    bundle = _to_bundle(task, data, patch_size, {"steps": str(steps), "seed": str(seed)})
    if out is not None:
        save_bundle(bundle, Path(out))
    return PretrainResult(bundle, history)


def _to_bundle(
    task: SSCCL, data: PairDataModule, patch_size: int, provenance: dict[str, str]
) -> Bundle:
    statistics, scenes = data.statistics, data.scenes
    if statistics is None or scenes is None:
        raise TrainingError("The data module is not set up; call its setup method first.")
    scene = scenes.scenes[0]
    return Bundle(
        kind="encoder",
        encoder=task.hparams["encoder"],
        decoder=None,
        bands=statistics.bands,
        mean=statistics.mean,
        std=statistics.std,
        resolution=scene.pixel_size,
        resolution_unit=scene.crs.units[0],
        patch_size=patch_size,
        classes=None,
        provenance={
            "method": "SSCCL, reimplemented from the abstract",
            "scenes": ", ".join(Path(s.path).name for s in scenes.scenes[:20]),
            "sscl_geo": sscl_geo.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            **provenance,
        },
        state_dict=task.encoder.state_dict(),
    )
