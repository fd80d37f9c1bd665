"""Fine-tuning a segmentation network with few labels, from files to a bundle."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import lightning.pytorch as pl
import pandas as pd
import torch

import sscl_geo
from sscl_geo.bundle import Bundle, load_bundle, save_bundle
from sscl_geo.callbacks.best_weights import BestWeights
from sscl_geo.classes import ClassTable
from sscl_geo.datamodules.labelled import LabelledDataModule
from sscl_geo.datasets.bundle_units import bundle_in_units
from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.errors import ConfigError, LabelError, TrainingError
from sscl_geo.io.labels import LabelOptions, open_with
from sscl_geo.io.units import common_units
from sscl_geo.losses.class_weights import ClassWeights
from sscl_geo.losses.class_weights import class_weights as weights_of_classes
from sscl_geo.models.probe_networks import NearestNeighbours
from sscl_geo.models.segmenters import Decoder, load_encoder
from sscl_geo.probing.remember import remember_cells
from sscl_geo.samplers.held_out import held_out_blocks
from sscl_geo.tasks.segmentation import Segmentation
from sscl_geo.trainer_options import TrainerOptions
from sscl_geo.training import fit

StrPath = str | os.PathLike[str]

_VALIDATIONS = 10


@dataclass(frozen=True, eq=False)
class FinetuneResult:
    """What fine-tuning gives.

    Attributes:
        bundle: the segmenter.
        history: a row a training step: ``step`` and ``loss``.
        validation: a row a validation, about ten in all: ``step``, ``loss`` and the metrics of
            TorchGeo's task; empty without a validation part. The bundle has the weights of the one
            with the best mean IoU (``AverageJaccardIndex``).
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
    val_share: float = 0.0,
    patience: int | None = None,
    num_workers: int = 0,
    accelerator: str = "auto",
    seed: int = 0,
    license: str = "",  # noqa: A002 - its name in bundles and in STAC
    any_units: bool = False,
) -> FinetuneResult:
    """Train a segmentation network on the labelled pixels of scenes.

    Args:
        scenes: files, folders or patterns.
        labels: a class raster, or points, lines or polygons, in any coordinate reference system.
        out: bundle to write; none if None.
        encoder: pretrained encoder to start from; its statistics of the bands are used too. If
            None, the encoder starts from random or ImageNet weights.
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
            part ``val``, if there is one. No other part is looked at.
        bands: names of the bands; those of the encoder if the scenes have them, else all, if None.
        patch_size: height and width of a patch in pixels, a multiple of the network's stride (32).
        batch_size: patches a step.
        steps: optimiser steps.
        lr: greatest learning rate.
        encoder_lr_factor: the encoder's learning rate, as a share of ``lr``.
        freeze_encoder: keep the encoder as it is.
        layer_decay: factor by which the learning rate falls from each stage of the encoder to the
            one before it; 1 for none.
        loss: ``"ce"`` (cross-entropy), ``"focal"``, ``"dice"``, or a mix such as ``"ce+0.5*dice"``.
        class_weights: weights of the classes in the cross-entropy, by how often they are labelled;
            see :func:`~sscl_geo.losses.class_weights.class_weights`.
        class_balanced: give each class, not each labelled pixel, the same chance to be drawn.
        zoom: least and greatest size of a pixel in training, in pixels of the scene.
        rotation: greatest rotation in training, in degrees, beside flips and quarter turns.
        val_share: share of the labelled ground to hold out for validation where ``within`` is not
            given: blocks of the size of a patch, a quarter of a patch away from training ground.
        patience: validations, of about ten in all, without a better one after which training ends;
            never if None.
        num_workers: reading processes.
        accelerator: Lightning's name of the device kind: ``auto``, ``cpu``, ``gpu``, ``mps``.
        seed: seed of weights, draws and augmentation; on a CPU the same seed gives the same result.
        license: what others may do with the model, an SPDX identifier such as ``CC-BY-4.0``.
        any_units: take the numbers of scenes as they are, where it is not told how they compare
            with those that the encoder was pretrained on.

    Returns:
        the segmenter as a bundle, and the history of training.

    Raises:
        TrainingError: if the batch is too small, there are no steps, or the loss is not finite.
        ConfigError: if the patch size does not fit the network, an option is out of range, or no
            validation part can be held out.
        LabelError: if the labels have fewer than two classes.
        UnitsError: if it is not told how the units of scenes and encoder compare.
        SSCLGeoError: whatever is wrong with scenes, labels, blocks or encoder.
    """
    if batch_size < 2 or steps < 1:
        raise TrainingError(
            f"Fine-tuning with {steps} steps of {batch_size} patches is impossible; take at least "
            "1 step and 2 patches, since batch normalisation needs several samples."
        )
    paths = [scenes] if isinstance(scenes, str | os.PathLike) else list(scenes)
    start = _load(encoder)
    chosen = _choose_bands(paths, bands, start)
    start = start if any_units else bundle_in_units(start, paths, chosen)
    pl.seed_everything(seed, verbose=False)
    if val_share:
        if within is not None:
            raise ConfigError("Give either within or val_share: both say what is for validation.")
        within = held_out_blocks(
            SceneDataset(paths, bands).scenes,
            open_with(labels, classes, column, label_options),
            val_share,
            block_size=patch_size,
            buffer=patch_size // 4,
            seed=seed,
        )
    data = LabelledDataModule(
        [os.fspath(path) for path in paths],
        os.fspath(labels),
        classes=os.fspath(classes) if isinstance(classes, str | os.PathLike) else classes,
        column=column,
        label_options=label_options,
        within=os.fspath(within) if isinstance(within, str | os.PathLike) else within,
        mean=None if start is None else start.mean,
        std=None if start is None else start.std,
        bands=chosen,
        patch_size=patch_size,
        batch_size=batch_size,
        length=batch_size * -(-steps // _VALIDATIONS),
        class_balanced=class_balanced,
        zoom=zoom,
        rotation=rotation,
        num_workers=num_workers,
        seed=seed,
    )
    data.setup("fit")
    if len(data.classes) < 2:
        raise LabelError(
            f"The labels have one class alone, {data.classes[0].name}; a network needs two to tell "
            "apart, so label other ground too."
        )
    task = Segmentation(
        model=decoder,
        backbone=encoder_name if start is None else start.encoder,
        in_channels=len(data.bands),
        num_classes=len(data.classes),
        ignore_index=data.classes.ignore_index,
        weights=True if imagenet and start is None else None,
        loss=loss,
        class_weights=weights_of_classes(data.class_counts, class_weights),
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
    best = BestWeights(patience=patience)
    if isinstance(task.model, NearestNeighbours):
        remember_cells(task.model, map(data.aug, data.train_dataloader()))
        history = pd.DataFrame({"step": [], "loss": []})
    else:
        history = fit(
            task,
            data,
            steps,
            "finetune",
            options=TrainerOptions(accelerator=accelerator, precision="32-true"),
            unit="patches",
            callbacks=[best],
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
    bundle = replace(_to_bundle(task, data, patch_size, told), license=license)
    if out is not None:
        save_bundle(bundle, out)
    return FinetuneResult(
        bundle,
        history[["step", "loss"]],
        pd.DataFrame(best.rows),
        tuple(data.class_counts.tolist()),
    )


def _load(encoder: Bundle | StrPath | None) -> Bundle | None:
    if encoder is None or isinstance(encoder, Bundle):
        return encoder
    return load_bundle(encoder, kind="encoder")


def _choose_bands(
    scenes: Sequence[StrPath], bands: Sequence[str] | None, encoder: Bundle | None
) -> Sequence[str] | None:
    """Bands to read: those asked for, or the encoder's where the scenes have them; None for all."""
    if encoder is None:
        return bands
    dataset = SceneDataset(scenes, bands)
    by_name = bands is None and set(encoder.bands) <= set(dataset.bands)
    chosen = encoder.bands if by_name else bands
    encoder.check_bands(tuple(chosen or dataset.bands), dataset.scenes[0].path)
    return chosen


def _to_bundle(
    task: Segmentation, data: LabelledDataModule, patch_size: int, provenance: dict[str, str]
) -> Bundle:
    scene = data.scenes[0]
    return Bundle(
        kind="segmenter",
        encoder=task.hparams["backbone"],
        decoder=task.hparams["model"],
        bands=data.bands,
        mean=data.band_mean,
        std=data.band_std,
        resolution=scene.pixel_size,
        resolution_unit=scene.geobox.crs.units[0] if scene.geobox.crs else "pixel",
        patch_size=patch_size,
        classes=data.classes,
        provenance={
            "sscl_geo": sscl_geo.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            **provenance,
        },
        state_dict=task.model.state_dict(),
        units=common_units(data.scenes, data.bands),
    )
