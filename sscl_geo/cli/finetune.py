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
    pixel_factors: bool = True,
    decoder: Literal[
        "unet", "unet++", "fpn", "deeplabv3+", "upernet", "segformer", "linear", "knn"
    ] = "unet",
    classes: Path | None = None,
    column: str | None = None,
    layer: list[str] | None = None,
    remap: Path | None = None,
    resampling: Literal["nearest", "majority"] = "nearest",
    overlap: Literal["last", "first", "smallest", "ignore"] = "last",
    label_crs: str | None = None,
    within: Path | None = None,
    bands: list[str] | None = None,
    patch_size: int = 128,
    batch_size: int = 16,
    steps: int = 300,
    lr: float = 1e-3,
    encoder_lr_factor: float = 1.0,
    freeze_encoder: bool = False,
    layer_decay: float = 1.0,
    loss: str = "ce",
    class_weights: Literal["none", "sqrt", "inverse"] = "none",
    class_balanced: bool = True,
    zoom: tuple[float, float] = (1.0, 1.0),
    rotation: float = 0.0,
    strength: float = 0.0,
    preset: Literal["optical", "rgb", "sar", "sar_db"] = "optical",
    val_share: float = 0.0,
    select: Literal["miou", "mf1", "oa", "loss"] = "miou",
    patience: int | None = None,
    num_workers: int = 0,
    accelerator: str = "auto",
    seed: int = 0,
    license: str = "",  # noqa: A002 - it is the option's name on the command line
    resume: bool = True,
    checkpoint_steps: int | None = None,
    checkpoint_minutes: float = 2.0,
    any_units: bool = False,
) -> Path:
    """Train a segmentation model on few labels.

    While it trains, a checkpoint lies in the folder NAME.run beside the bundle. Called again after
    a break, the command goes on where the checkpoint is; once the bundle is written, it starts
    anew.

    Args:
        scene: raster file, folder or pattern; each scene keeps its own CRS and resolution.
        labels: class raster, points, lines or polygons, in any CRS; unlabelled pixels are left out.
        out: bundle to write (safetensors).
        encoder: bundle that 'pretrain' wrote, to start from.
        encoder_name: name in segmentation-models-pytorch, or tu- and a name of timm; where no
            pretrained encoder is given.
        imagenet: start the named encoder from ImageNet weights.
        pixel_factors: let the network see the pixel factors too that were learned with the encoder,
            if 'pretrain' was told to.
        decoder: segmentation model; linear is a linear probe of the frozen encoder, knn looks for
            the most similar labelled ground and is not trained.
        classes: CSV or YAML file with value, name, color, or a QGIS style (QML); the classes of the
            labels if not given.
        column: column of a vector file that holds the class; chosen if not given.
        layer: layer of a vector file that has several; more are read together, later ones on top.
        remap: YAML or CSV file of rules 'source value or name: class or ignore' for the labels.
        resampling: what a pixel gets from a class raster on another grid: the class under its
            centre, or the most frequent inside it.
        overlap: which of overlapping features has a pixel; 'ignore' leaves it without a label where
            their classes differ.
        label_crs: coordinate reference system of the labels, where the file names none or a wrong
            one.
        within: file of blocks; training sees no pixel outside the part 'train'; the weights kept
            are those that are best in the part 'val', if it has labels; no other part is looked at.
        bands: names of the bands to use, in this order; all if not given.
        patch_size: height and width of a patch in pixels, a multiple of 32.
        batch_size: patches a step.
        steps: optimiser steps.
        lr: greatest learning rate of AdamW.
        encoder_lr_factor: learning rate of the encoder, as a share of lr; 0 freezes it.
        freeze_encoder: keep the encoder as it is.
        layer_decay: factor by which the learning rate falls from each stage of the encoder to the
            one before it; 1 for none.
        loss: cross-entropy (ce), focal, dice, or a mix such as ce+0.5*dice.
        class_weights: weigh classes in cross-entropy and focal loss by the inverse of how often
            they are labelled, or by its square root.
        class_balanced: draw patches by class, so that rare classes are seen as often as others.
        zoom: least and greatest size of a pixel in training, in pixels of the scene.
        rotation: greatest rotation in training, in degrees, beside flips and quarter turns.
        strength: strength of recolouring in training, 1 for as much as in pretraining; 0 for mild
            changes of brightness and contrast alone.
        preset: kind of images that strength is for; sar for intensities, sar_db for decibels.
        val_share: share of the labelled ground, with within of its part 'train', to hold out for
            validation, in blocks apart from the training ground; in place of the part 'val'.
        select: what tells the best weights in the validation part, and patience what is better:
            mean IoU, mean F1 score, overall accuracy, or the loss.
        patience: validations, of ten in all, without a better one after which training ends.
        num_workers: reading processes; 0 reads in the main process.
        accelerator: auto, cpu, gpu or mps.
        seed: seed of weights, draws and augmentation.
        license: what others may do with the model, an SPDX identifier such as CC-BY-4.0; kept in
            the bundle.
        resume: go on from the checkpoint that a break left, if there is one.
        checkpoint_steps: steps between checkpoints; by time alone if not given.
        checkpoint_minutes: minutes between checkpoints.
        any_units: take the numbers of scenes as they are, where pixel type, scale and offset do not
            tell how they compare with those that the encoder was pretrained on.

    Returns:
        path of the bundle.
    """
    from rich.console import Console
    from rich.table import Table

    from sscl_geo.finetuning import finetune as run
    from sscl_geo.io.atomic import atomic_path, ensure_folder
    from sscl_geo.io.labels import LabelOptions
    from sscl_geo.run_folder import RunFolder

    ensure_folder(out.parent)
    console = Console(soft_wrap=True, highlight=False)
    folder = RunFolder(out.with_suffix(".run"))
    done = folder.step() if resume else None
    if done is not None:
        console.print(f"Going on from {folder.last}, {done} of {steps} steps done", markup=False)
    result = run(
        scene,
        labels,
        out=out,
        encoder=encoder,
        encoder_name=encoder_name,
        imagenet=imagenet,
        pixel_factors=pixel_factors,
        decoder=decoder,
        classes=classes,
        column=column,
        label_options=LabelOptions(layer, remap, resampling, overlap, label_crs),
        within=within,
        bands=bands,
        patch_size=patch_size,
        batch_size=batch_size,
        steps=steps,
        lr=lr,
        encoder_lr_factor=encoder_lr_factor,
        freeze_encoder=freeze_encoder,
        layer_decay=layer_decay,
        loss=loss,
        class_weights=class_weights,
        class_balanced=class_balanced,
        zoom=zoom,
        rotation=rotation,
        strength=strength,
        preset=preset,
        val_share=val_share,
        select=select,
        patience=patience,
        num_workers=num_workers,
        accelerator=accelerator,
        seed=seed,
        license=license,
        run=folder.root,
        resume=resume,
        checkpoint_steps=checkpoint_steps,
        checkpoint_minutes=checkpoint_minutes,
        any_units=any_units,
    )
    curves = out.with_suffix(".history.csv")
    with atomic_path(curves) as temporary:
        result.history.to_csv(temporary, index=False)
    table = Table("value", "class", "labelled pixels")
    for land_cover, pixels in zip(result.bundle.classes or (), result.labelled_pixels, strict=True):
        table.add_row(str(land_cover.value), land_cover.name, f"{pixels:,}")
    console.print(table)
    if len(result.history):
        loss = result.history["loss"].tail(10).mean()
        console.print(f"loss   {loss:.3f} (mean of the last steps)")
    for name in ("weights", f"validation_{select}"):
        if told := result.bundle.provenance.get(name):
            console.print(f"{name.replace('_', ' '):<6} {told}", markup=False)
    console.print("model ", out, markup=False)
    console.print("curves", curves, markup=False)
    return out
