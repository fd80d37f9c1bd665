"""``sscl-geo demo``: the whole path on a real scene."""

from pathlib import Path
from typing import Literal


def demo(
    *,
    out: Path = Path("demo"),
    scene: Path | None = None,
    labels: Path | None = None,
    reference: Path | None = None,
    classes: Path | None = None,
    column: str | None = None,
    encoder: str = "resnet18",
    decoder: Literal["unet", "deeplabv3+", "upernet", "segformer"] = "unet",
    patch_size: int = 64,
    block_size: int = 100,
    train_share: float = 0.6,
    pretrain_steps: int = 120,
    pretrain_batch: int = 16,
    pretrain_lr: float = 1e-3,
    finetune_steps: int = 80,
    finetune_batch: int = 16,
    finetune_lr: float = 1e-3,
    quick: bool = False,
    seed: int = 0,
) -> Path:
    """Pretrain, fine-tune with few labels, segment and evaluate, and the same from random weights.

    Without --scene and --labels it takes a Landsat scene of North Carolina, which it fetches once.
    Maps are measured in spatial blocks that fine-tuning does not touch.

    Args:
        out: folder for the maps, models, tables and report.html.
        scene: raster of your own; give --labels with it.
        labels: class raster, points, lines or polygons with few labels, in any CRS.
        reference: labels to measure the maps against, in any CRS; those of --labels that lie in the
            test blocks if not given.
        classes: CSV or YAML file with value, name, color, or a QGIS style (QML); the classes of the
            labels if not given.
        column: column of vector labels that holds the class; chosen if not given.
        encoder: name in segmentation-models-pytorch, or tu- and a name of timm.
        decoder: segmentation model.
        patch_size: height and width of views and of labelled patches, in pixels.
        block_size: side of the blocks that are dealt to training and test, in pixels.
        train_share: share of the blocks for training, 0 to 1.
        pretrain_steps: optimiser steps of pretraining.
        pretrain_batch: pairs a step of pretraining.
        pretrain_lr: greatest learning rate of pretraining.
        finetune_steps: optimiser steps of each fine-tuning.
        finetune_batch: patches a step of fine-tuning.
        finetune_lr: greatest learning rate of fine-tuning.
        quick: take only a few steps, to see that everything runs.
        seed: seed of weights, draws, augmentation and blocks.

    Returns:
        the folder.
    """
    from rich.console import Console

    from sscl_geo.demo.sample import choose_sample
    from sscl_geo.demo.settings import Settings
    from sscl_geo.demo.stages import Stages
    from sscl_geo.progress import progress_bar

    settings = Settings(
        encoder=encoder,
        decoder=decoder,
        patch_size=patch_size,
        block_size=block_size,
        train_share=train_share,
        pretrain_steps=pretrain_steps,
        pretrain_batch=pretrain_batch,
        pretrain_lr=pretrain_lr,
        finetune_steps=finetune_steps,
        finetune_batch=finetune_batch,
        finetune_lr=finetune_lr,
        seed=seed,
    )
    stages = Stages()
    with stages.stage("fetch"):
        sample = choose_sample(scene, labels, reference, classes, column)
    with stages.stage("load"), progress_bar("load libraries"):
        from sscl_geo.demo.measures import measures_table
        from sscl_geo.demo.products import write_products
        from sscl_geo.demo.run import run_demo
    run = run_demo(sample, out, settings.quick() if quick else settings, stages)
    report = write_products(run)
    console = Console(soft_wrap=True, highlight=False)
    console.print(measures_table(run))
    for outcome in run.outcomes:
        title = f"map, {outcome.initialisation}"
        console.print(f"{title:<16} {outcome.products.class_map}", markup=False)
    console.print(f"{'report':<16} {report}", markup=False)
    console.print(f"{'everything':<16} {out}", markup=False)
    if sample.licence:
        console.print(sample.licence, markup=False)
    return out
