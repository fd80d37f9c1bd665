"""Fine-tuning a segmentation network with few labels, from files to a bundle."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import lightning.pytorch as pl
import pandas as pd

from sscl_geo.bundle import Bundle, save_bundle
from sscl_geo.callbacks.best_weights import BestWeights, Select
from sscl_geo.callbacks.checkpoints import Checkpoints
from sscl_geo.classes import ClassTable
from sscl_geo.datamodules.class_counts import check_class_counts
from sscl_geo.datamodules.labelled import LabelledDataModule
from sscl_geo.encoder_start import EncoderStart
from sscl_geo.errors import ConfigError, TrainingError
from sscl_geo.io.digest import digest
from sscl_geo.io.labels import LabelOptions
from sscl_geo.losses.class_weights import ClassWeights
from sscl_geo.losses.class_weights import class_weights as weights_of_classes
from sscl_geo.models.probe_networks import NearestNeighbours
from sscl_geo.models.segmenters import UNTRAINED, Decoder, load_encoder
from sscl_geo.probing.pixel_start import start_from_pixels
from sscl_geo.probing.remember import remember_cells
from sscl_geo.resuming import find_checkpoint
from sscl_geo.run_folder import RunFolder
from sscl_geo.segmenter_bundle import segmenter_bundle
from sscl_geo.tasks.segmentation import Segmentation
from sscl_geo.trainer_options import TrainerOptions
from sscl_geo.training import fit
from sscl_geo.transforms.radiometric import Preset

StrPath = str | os.PathLike[str]

_VALIDATIONS = 10


@dataclass(frozen=True, eq=False)
class FinetuneResult:
    """What fine-tuning gives.

    Attributes:
        bundle: the segmenter.
        history: a row a training step: ``step`` and ``loss``.
        validation: a row a validation, about ten in all: ``step``, ``loss`` and the metrics of
            TorchGeo's task, among them what ``select`` means: ``AverageJaccardIndex`` (``miou``),
            ``AverageF1Score`` (``mf1``) and ``OverallAccuracy`` (``oa``). Empty without a
            validation part.
        labelled_pixels: number of labelled pixels of each class that training could see.
    """

    bundle: Bundle
    history: pd.DataFrame
    validation: pd.DataFrame
    labelled_pixels: tuple[int, ...]


def finetune(
    scenes: StrPath | Sequence[StrPath],
    labels: StrPath,
    *,
    out: StrPath | None = None,
    encoder: Bundle | StrPath | None = None,
    pixel_factors: bool = True,
    decoder: Decoder = "unet",
    encoder_name: str = "resnet18",
    imagenet: bool = False,
    classes: ClassTable | StrPath | None = None,
    column: str | None = None,
    label_options: LabelOptions | None = None,
    within: gpd.GeoDataFrame | StrPath | None = None,
    bands: Sequence[str] | None = None,
    patch_size: int = 128,
    batch_size: int = 16,
    steps: int = 300,
    lr: float = 1e-3,
    encoder_lr_factor: float = 1.0,
    freeze_encoder: bool = False,
    layer_decay: float = 1.0,
    loss: str = "ce",
    class_weights: ClassWeights = "none",
    class_balanced: bool = True,
    zoom: tuple[float, float] = (1.0, 1.0),
    rotation: float = 0.0,
    strength: float = 0.0,
    preset: Preset = "optical",
    val_share: float = 0.0,
    select: Select = "miou",
    patience: int | None = None,
    num_workers: int = 0,
    accelerator: str = "auto",
    seed: int = 0,
    license: str = "",  # noqa: A002 - its name in bundles and in STAC
    any_units: bool = False,
    run: StrPath | None = None,
    resume: bool = True,
    checkpoint_steps: int | None = None,
    checkpoint_minutes: float = 2.0,
    callbacks: Sequence[pl.Callback] = (),
) -> FinetuneResult:
    """Train a segmentation network on the labelled pixels of scenes.

    Args:
        scenes: files, folders or patterns.
        labels: a class raster, or points, lines or polygons, in any coordinate reference system.
        out: bundle to write; none if None.
        encoder: pretrained encoder to start from; its statistics of the bands are used too. If
            None, the encoder starts from random or ImageNet weights.
        pixel_factors: let the network see the encoder's pixel factors, if it has some and can.
        decoder: segmentation model, a key of :data:`~sscl_geo.models.segmenters.SEGMENTERS`;
            ``"linear"`` is a linear probe of the frozen encoder, ``"knn"`` looks for the most
            similar labelled ground and is not trained.
        encoder_name: name of the encoder where no pretrained one is given.
        imagenet: start ``encoder_name`` from ImageNet weights.
        classes: the classes, as a table or a CSV, YAML or QML file of it; those of the labels if
            None.
        column: column of a vector file that holds the class; chosen if None.
        label_options: how the labels are read otherwise: layers, remapping, resampling, overlaps.
        within: blocks, see :func:`sscl_geo.splits.spatial_blocks`. Training sees no pixel, of image
            or labels, outside the part ``train``; the weights kept are those that were best in the
            part ``val``, if it has labels. No other part is looked at.
        bands: names of the bands; those of the encoder if the scenes have them, else all, if None.
        patch_size: height and width of a patch in pixels, a multiple of the network's stride (32).
        batch_size: patches a step.
        steps: optimiser steps.
        lr: greatest learning rate.
        encoder_lr_factor: the encoder's learning rate, as a share of ``lr``; 0 freezes it.
        freeze_encoder: keep the encoder as it is.
        layer_decay: factor by which the learning rate falls from each stage of the encoder to the
            one before it; 1 for none.
        loss: ``"ce"`` (cross-entropy), ``"focal"``, ``"dice"``, or a mix such as ``"ce+0.5*dice"``.
        class_weights: weights of the classes in cross-entropy and focal loss, by how often they are
            labelled; see :func:`~sscl_geo.losses.class_weights.class_weights`.
        class_balanced: give each class, not each labelled pixel, the same chance to be drawn.
        zoom: least and greatest size of a pixel in training, in pixels of the scene.
        rotation: greatest rotation in training, in degrees, beside flips and quarter turns.
        strength: strength of the radiometric changes that pretraining knows, 1 for as much as
            there; 0 for mild changes of brightness and contrast alone.
        preset: kind of images that ``strength`` is for, see
            :func:`~sscl_geo.transforms.radiometric.radiometric_augmentation`.
        val_share: share of the labelled ground to hold out for validation in place of the part
            ``val``, in blocks of the size of a patch, a quarter of a patch away from training.
        select: figure by which the validation part tells the best weights, and patience what is
            better: ``"miou"``, ``"mf1"``, ``"oa"`` (overall accuracy) or ``"loss"``.
        patience: validations, of about ten in all, without a better one after which training ends;
            never if None.
        num_workers: reading processes.
        accelerator: Lightning's name of the device kind: ``auto``, ``cpu``, ``gpu``, ``mps``.
        seed: seed of weights, draws and augmentation; on a CPU the same seed gives the same result.
        license: what others may do with the model, an SPDX identifier such as ``CC-BY-4.0``.
        any_units: take the numbers of scenes as they are, where it is not told how they compare
            with those that the encoder was pretrained on.
        run: folder for a checkpoint, which is removed once ``out`` is written; none if None.
        resume: go on from the checkpoint in ``run`` if a break left one; otherwise it is removed.
        checkpoint_steps: optimiser steps between checkpoints; by time alone if None.
        checkpoint_minutes: minutes between checkpoints.
        callbacks: further callbacks.

    Returns:
        the segmenter as a bundle, and the history of training.

    Raises:
        TrainingError: if the batch is too small, there are no steps, the loss is not finite, or the
            checkpoint in ``run`` belongs to another training.
        ConfigError: if an option is out of range or does not fit, or no ground can be held out.
        LabelError: if fewer than two classes have labels to learn from.
        UnitsError: if it is not told how the units of scenes and encoder compare.
        SSCLGeoError: whatever is wrong with scenes, labels, blocks or encoder.
    """
    if batch_size < 2 or steps < 1:
        raise TrainingError(
            f"Fine-tuning with {steps} steps of {batch_size} patches is impossible; take at least "
            "1 step and 2 patches, since batch normalisation needs several samples."
        )
    paths = [scenes] if isinstance(scenes, str | os.PathLike) else list(scenes)
    start_on = EncoderStart.on(paths, encoder, bands, any_units=any_units)
    start = start_on.bundle
    pl.seed_everything(seed, verbose=False)
    data = LabelledDataModule(
        [os.fspath(path) for path in paths],
        os.fspath(labels),
        classes=os.fspath(classes) if isinstance(classes, str | os.PathLike) else classes,
        column=column,
        label_options=label_options,
        within=os.fspath(within) if isinstance(within, str | os.PathLike) else within,
        mean=None if start is None else start.mean,
        std=None if start is None else start.std,
        bands=start_on.bands,
        patch_size=patch_size,
        batch_size=batch_size,
        length=batch_size * -(-steps // _VALIDATIONS),
        class_balanced=class_balanced,
        zoom=zoom,
        rotation=rotation,
        strength=strength,
        preset=preset,
        val_share=val_share,
        num_workers=num_workers,
        seed=seed,
    )
    data.setup("fit")
    check_class_counts(data.classes, data.class_counts)
    leave_out = start is None or not pixel_factors or decoder in UNTRAINED
    task = Segmentation(
        model=decoder,
        backbone=encoder_name if start is None else start.encoder,
        in_channels=len(data.bands),
        num_classes=len(data.classes),
        ignore_index=data.classes.ignore_index,
        weights=True if imagenet and start is None else None,
        loss=loss,
        class_weights=weights_of_classes(data.class_counts, class_weights),
        pixel_factors=0 if leave_out else start.pixel_factors,
        lr=lr,
        encoder_lr_factor=encoder_lr_factor,
        layer_decay=layer_decay,
        freeze_backbone=freeze_encoder,
    )
    stride = int(task.model.encoder.output_stride)
    if patch_size % stride:
        raise ConfigError(
            f"Patches of {patch_size} pixels do not fit the network; take a multiple of {stride}."
        )
    if start is not None:
        load_encoder(task.model, start, len(data.bands))
    if task.hparams["pixel_factors"]:
        start_from_pixels(task.model, map(data.aug, data.train_dataloader()))
    best = BestWeights(select, patience)
    folder = None if run is None else RunFolder(Path(run))
    if isinstance(task.model, NearestNeighbours):
        remember_cells(task.model, map(data.aug, data.train_dataloader()))
        history = pd.DataFrame({"step": [], "loss": []})
    else:
        facts = {} if folder is None else _facts(task, data, steps, best)
        watchers = [best, *callbacks, *_keep(folder, checkpoint_steps, checkpoint_minutes, facts)]
        history = fit(
            task,
            data,
            steps,
            "finetune",
            options=TrainerOptions(accelerator=accelerator, precision="32-true"),
            unit="patches",
            callbacks=watchers,
            # Which process reads a patch changes neither it nor its place in the order.
            checkpoint=find_checkpoint(
                folder, task, data, resume=resume, facts=facts, harmless={"num_workers"}
            ),
        )
    told = {
        "encoder": "random" if start is None and not imagenet else "ImageNet",
        "scenes": ", ".join(Path(s.path).name for s in data.scenes[:20]),
        "labels": Path(labels).name,
        "labelled_pixels": str(int(data.class_counts.sum())),
        "steps": str(steps),
        "seed": str(seed),
        **({} if decoder == "knn" else best.provenance()),
    }
    if start is not None:
        told |= {"encoder": "pretrained"}
        told |= {f"encoder_{name}": text for name, text in start.provenance.items()}
    bundle = segmenter_bundle(task, data, patch_size, told, license)
    if out is not None:
        save_bundle(bundle, out)
        if folder is not None:  # only now is its checkpoint of no more use
            folder.forget()
    return FinetuneResult(
        bundle,
        history[["step", "loss"]],
        pd.DataFrame(best.rows),
        tuple(data.class_counts.tolist()),
    )


def _facts(
    task: Segmentation, data: LabelledDataModule, steps: int, best: BestWeights
) -> dict[str, Any]:
    """What decides the result beside the options of task and data, before the first step."""
    weights = task.model.state_dict()
    return {
        "steps": steps,
        "select": best.select,
        "patience in validation": best.patience,  # TorchGeo's task has another patience
        # Before what they change.
        **{name: data.hparams[name] for name in ("seed", "val_share")},
        **data.digests(),
        "first weights of digest": digest(weights, (w.cpu() for w in weights.values())),
    }


def _keep(
    folder: RunFolder | None, steps: int | None, minutes: float, facts: dict[str, Any]
) -> list[pl.Callback]:
    return [] if folder is None else [Checkpoints(folder.checkpoints, steps, minutes, facts)]
