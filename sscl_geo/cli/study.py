"""``sscl-geo study``: what pretraining buys with few labels, on a public dataset of the field."""

from pathlib import Path
from typing import Literal


def study(
    dataset: Literal["potsdam", "vaihingen", "loveda", "deepglobe"],
    *,
    data: Path,
    out: Path | None = None,
    rows: tuple[str, ...] = ("random", "imagenet", "sscl"),
    label_share: float = 0.01,
    val_share: float = 0.01,
    seeds: tuple[int, ...] = (0, 1, 2),
    pretrain_seeds: tuple[int, ...] = (0,),
    labels: Literal["all", "no_boundary"] | None = None,
    test_labels: Literal["all", "no_boundary"] | None = None,
    clutter: bool = True,
    patch_size: int | None = None,
    patch_order: Literal["row", "column"] = "row",
    encoder: str = "resnet50",
    decoder: Literal[
        "unet", "unet++", "fpn", "deeplabv3+", "upernet", "segformer", "linear"
    ] = "deeplabv3+",
    loss: str = "ce",
    epochs: int = 150,
    batch_size: int = 16,
    lr: float = 1e-4,
    lr_decay: float = 0.98,
    weight_decay: float = 1e-5,
    brightness: float = 0.1,
    contrast: float = 0.1,
    pretrain_steps: int = 20_000,
    pretrain_batch: int = 64,
    pretrain_patch: int = 256,
    pretrain_lr: float = 1e-3,
    option: list[str] | None = None,
    imagenet_weights: Path | None = None,
    boundary_tolerance: float = 2.0,
    test_tiles: int | None = None,
    quick: bool = False,
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto",
    accelerator: str = "auto",
    num_workers: int = 0,
    cache: Path | None = None,
) -> Path:
    """Run a few-label study on a public dataset that you have, by the protocol of the field.

    Encoders are pretrained on the training tiles without labels, fine-tuned on the few labelled
    patches, chosen by validation patches of the training tiles, and tested once. Called again, the
    command goes on where it was; rows and seeds may be added.

    Args:
        dataset: which dataset.
        data: its folder, as its owners lay it out; see the page on studies.
        out: folder of the study; studies/DATASET if not given.
        rows: random, imagenet, methods of pretraining such as sscl or moco, and imagenet+METHOD.
        label_share: share of the training patches that are labelled; Potsdam's 0.01 are the 138
            patches that the protocol names.
        val_share: share of the training patches by which the best epoch is chosen.
        seeds: seeds of fine-tuning, and of the draw of labelled patches where none are named.
        pretrain_seeds: seeds of pretraining.
        labels: label files to train on; no_boundary leaves the borders of objects out. The
            dataset's usual ones (all) if not given.
        test_labels: label files to test on; those of --labels if not given.
        clutter: count the class clutter of the ISPRS datasets.
        patch_size: side of a labelled patch in pixels; 256 for ISPRS, 512 for others if not given.
        patch_order: how the numbers of patches run through a tile.
        encoder: name in segmentation-models-pytorch, or tu- and a name of timm.
        decoder: segmentation model.
        loss: as in 'finetune'.
        epochs: passes over the labelled patches.
        batch_size: labelled patches a step.
        lr: learning rate of Adam.
        lr_decay: factor of the learning rate from one epoch to the next.
        weight_decay: L2 penalty of Adam.
        brightness: greatest shift of a training patch, in standard deviations.
        contrast: greatest change of contrast of a training patch, as a share.
        pretrain_steps: optimiser steps of pretraining.
        pretrain_batch: pairs a step of pretraining.
        pretrain_patch: side of a view in pretraining, in pixels.
        pretrain_lr: greatest learning rate of pretraining.
        option: further options of the methods, each as NAME=VALUE, for rows whose method has them;
            pixel_factors=20 is also seen by what is fine-tuned.
        imagenet_weights: file of ImageNet weights of the encoder; fetched if not given.
        boundary_tolerance: of boundary F1, in pixels.
        test_tiles: look at the first so many test tiles only, which is no result of the protocol.
        quick: a small encoder, a few steps, one seed and one test tile, to see that it runs.
        precision: of pretraining.
        accelerator: auto, cpu, gpu or mps.
        num_workers: reading processes; 0 reads in the main process.
        cache: folder on a local disk for decoded copies of the tiles; none if not given.

    Returns:
        the folder.
    """
    from rich.console import Console
    from rich.table import Table

    from sscl_geo.cli.options import parse_options
    from sscl_geo.studies import DATASETS, StudyOptions, run_study
    from sscl_geo.studies.options import Machine
    from sscl_geo.studies.results import summary

    options = StudyOptions(
        rows=rows,
        label_share=label_share,
        val_share=val_share,
        seeds=seeds,
        pretrain_seeds=pretrain_seeds,
        labels=labels,
        test_labels=test_labels,
        clutter=clutter,
        patch_size=patch_size,
        patch_order=patch_order,
        encoder=encoder,
        decoder=decoder,
        loss=loss,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        lr_decay=lr_decay,
        weight_decay=weight_decay,
        brightness=brightness,
        contrast=contrast,
        pretrain_steps=pretrain_steps,
        pretrain_batch=pretrain_batch,
        pretrain_patch=pretrain_patch,
        pretrain_lr=pretrain_lr,
        method_options=parse_options(option or []),
        imagenet_weights=None if imagenet_weights is None else str(imagenet_weights),
        boundary_tolerance=boundary_tolerance,
        test_tiles=test_tiles,
    )
    folder = out or Path("studies") / dataset
    console = Console(soft_wrap=True, highlight=False)
    found = run_study(
        DATASETS[dataset],
        data,
        folder,
        options.quick() if quick else options,
        Machine(accelerator, precision, num_workers, None if cache is None else str(cache)),
        lambda line: console.print(line, markup=False),
    )
    shown = summary(found, rows)
    table = Table(*shown.columns)
    for line in shown.astype(str).to_numpy():
        table.add_row(*line)
    console.print(table)
    console.print(f"table {folder / 'results.md'}\nruns  {folder / 'results.csv'}", markup=False)
    return folder
