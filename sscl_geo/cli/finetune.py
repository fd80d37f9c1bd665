"""``sscl-geo finetune``: a segmentation model from a scene and few labels."""

from pathlib import Path
from typing import Literal


def finetune(
    scene: Path,
    labels: Path,
    *,
    out: Path = Path("model.safetensors"),
    encoder: Path | None = None,
    encoder_name: str = "resnet18",
    imagenet: bool = False,
    decoder: Literal["unet", "deeplabv3+", "upernet", "segformer"] = "unet",
    classes: Path | None = None,
    column: str | None = None,
    within: Path | None = None,
    bands: list[str] | None = None,
    patch_size: int = 128,
    batch_size: int = 16,
    steps: int = 300,
    lr: float = 1e-3,
    encoder_lr_factor: float = 1.0,
    freeze_encoder: bool = False,
    loss: Literal["ce", "focal", "dice"] = "ce",
    class_balanced: bool = True,
    num_workers: int = 0,
    accelerator: str = "auto",
    seed: int = 0,
    license: str = "",  # noqa: A002 - it is the option's name on the command line
) -> Path:
    """Train a segmentation model on few labels.

    Args:
        scene: raster file, folder or pattern; each scene keeps its own CRS and resolution.
        labels: class raster, points, lines or polygons, in any CRS; unlabelled pixels are left out.
        out: bundle to write (safetensors).
        encoder: bundle that 'pretrain' wrote, to start from.
        encoder_name: name in segmentation-models-pytorch, or tu- and a name of timm; where no
            pretrained encoder is given.
        imagenet: start the named encoder from ImageNet weights.
        decoder: segmentation model.
        classes: CSV file with the columns value, name, color; the classes of the labels if not
            given.
        column: column of a vector file that holds the class; chosen if not given.
        within: file of blocks; training sees no pixel outside the part 'train', validation none
            outside 'val'.
        bands: names of the bands to use, in this order; all if not given.
        patch_size: height and width of a patch in pixels, a multiple of 32.
        batch_size: patches a step.
        steps: optimiser steps.
        lr: greatest learning rate of AdamW.
        encoder_lr_factor: learning rate of the encoder, as a share of lr.
        freeze_encoder: keep the encoder as it is.
        loss: cross-entropy (ce), focal or dice.
        class_balanced: draw patches by class, so that rare classes are seen as often as others.
        num_workers: reading processes; 0 reads in the main process.
        accelerator: auto, cpu, gpu or mps.
        seed: seed of weights, draws and augmentation.
        license: what others may do with the model, an SPDX identifier such as CC-BY-4.0; kept in
            the bundle.

    Returns:
        path of the bundle.
    """
    from rich.console import Console
    from rich.table import Table

    from sscl_geo.classes import ClassTable
    from sscl_geo.finetuning import finetune as run
    from sscl_geo.io.atomic import atomic_path, ensure_folder

    ensure_folder(out.parent)
    result = run(
        scene,
        labels,
        out=out,
        encoder=encoder,
        encoder_name=encoder_name,
        imagenet=imagenet,
        decoder=decoder,
        classes=None if classes is None else ClassTable.from_csv(classes),
        column=column,
        within=within,
        bands=bands,
        patch_size=patch_size,
        batch_size=batch_size,
        steps=steps,
        lr=lr,
        encoder_lr_factor=encoder_lr_factor,
        freeze_encoder=freeze_encoder,
        loss=loss,
        class_balanced=class_balanced,
        num_workers=num_workers,
        accelerator=accelerator,
        seed=seed,
        license=license,
    )
    curves = out.with_suffix(".history.csv")
    with atomic_path(curves) as temporary:
        result.history.to_csv(temporary, index=False)
    table = Table("value", "class", "labelled pixels")
    for land_cover, pixels in zip(result.bundle.classes or (), result.labelled_pixels, strict=True):
        table.add_row(str(land_cover.value), land_cover.name, f"{pixels:,}")
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    console.print(f"loss   {result.history['loss'].tail(10).mean():.3f} (mean of the last steps)")
    console.print("model ", out, markup=False)
    console.print("curves", curves, markup=False)
    return out
