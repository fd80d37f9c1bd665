"""``sscl-geo pretrain``: learn an encoder from raw scenes, without labels."""

from pathlib import Path
from typing import Literal


def pretrain(
    scenes: list[str],
    *,
    out: Path = Path("encoder.safetensors"),
    resume: bool = True,
    method: str = "sscl",
    encoder: str = "resnet18",
    weights: str | None = None,
    bands: list[str] | None = None,
    steps: int = 1000,
    batch_size: int = 32,
    patch_size: int = 128,
    overlap: tuple[float, float] = (0.3, 1.0),
    zoom: tuple[float, float] = (0.7, 1.5),
    rotation: float = 0.0,
    min_valid: float = 0.5,
    aoi: Path | None = None,
    dates: tuple[str, str] | None = None,
    clouds: Literal["sentinel2_scl", "landsat_qa"] | None = None,
    max_days_apart: float | None = None,
    strict: bool = False,
    cache: Path | None = None,
    preset: Literal["optical", "rgb", "sar", "sar_db"] = "optical",
    strength: float = 1.0,
    instance_weight: float | None = None,
    spatial_weight: float | None = None,
    semantic_weight: float | None = None,
    dense_stride: int | None = None,
    pixel_factors: int | None = None,
    optimizer: Literal["adamw", "sgd", "lars"] = "adamw",
    lr: float = 1e-3,
    base_batch: int | None = None,
    warmup_steps: int = 20,
    weight_decay: float = 1e-4,
    accumulate: int = 1,
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto",
    compile: bool = False,  # noqa: A002 - the name that PyTorch's users know
    sync_bn: bool = True,
    accelerator: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    strategy: str = "auto",
    num_workers: int = 0,
    checkpoint_steps: int | None = None,
    checkpoint_minutes: float = 10.0,
    logger: list[Literal["tensorboard", "wandb", "mlflow", "none"]] | None = None,
    on_collapse: Literal["warn", "stop"] = "warn",
    patience: int | None = None,
    probe_labels: Path | None = None,
    probe_every: int = 100,
    option: list[str] | None = None,
    seed: int = 0,
) -> Path:
    """Pretrain an encoder on raw scenes, with SSCCL or another method, without labels.

    Beside the bundle stands the folder of the run, NAME.run: checkpoints, metrics.csv with a row a
    step, its curves, a picture of dense features, and the files of loggers. Called again, the
    command goes on where the last checkpoint is.

    Args:
        scenes: raster files, folders or patterns; each scene keeps its own CRS and resolution.
        out: bundle to write (safetensors), or a folder that then holds bundle and run.
        resume: go on from the last checkpoint of the run if there is one.
        method: sscl, consistency or byol (its branches alone), or a rival; see the method page.
        encoder: name in segmentation-models-pytorch, or tu- and a name of timm.
        weights: pretrained weights to start from, for example imagenet; random if not given.
        bands: names of the bands to use, in this order; all if not given.
        steps: optimiser steps.
        batch_size: pairs of views a batch, on each device.
        patch_size: height and width of a view in pixels.
        overlap: least and greatest share of the smaller view that two views share, 0 to 1.
        zoom: least and greatest ground sampling distance of a view, in pixels of its scene.
        rotation: greatest rotation of a view in degrees.
        min_valid: least share of valid pixels in a view, 0 to 1.
        aoi: vector file of the area to draw from, in any CRS; everywhere if not given.
        dates: first and last date of the scenes to use, such as 2018 2020-06.
        clouds: cloud mask that the scenes come with.
        max_days_apart: let the views of a pair come from two dates at most so many days apart.
        strict: make an unreadable scene an error instead of a warning.
        cache: folder on a local disk for decoded copies of the scenes; none if not given.
        preset: kind of images, which decides how views are recoloured; sar for intensities, sar_db
            for decibels.
        strength: strength of recolouring; 0 leaves it out.
        instance_weight: weight of the instance term; 0 leaves it out, the method's own if not
            given.
        spatial_weight: weight of the spatial consistency term, likewise.
        semantic_weight: weight of the semantic consistency term, likewise.
        dense_stride: pixels per dense feature cell (2, 4 … 32); the method's own if not given.
        pixel_factors: functions of single pixels to learn beside the encoder, for fine-tuning with
            few labels, for example 20; none if not given.
        optimizer: lars is for batches of a thousand pairs or more.
        lr: greatest learning rate.
        base_batch: pairs a step, over all devices, that lr is meant for; it is scaled in proportion
            to the true number. Taken as it is if not given.
        warmup_steps: steps over which the learning rate rises.
        weight_decay: weight decay; none on biases and normalisation.
        accumulate: batches whose gradients are added up for one step.
        precision: auto is bf16-mixed where the device computes it natively (GPUs since 2020, some
            CPUs), else 32-true; 16-mixed suits older GPUs.
        compile: compile the encoder with PyTorch; pays after some hundred steps.
        sync_bn: let batch normalisation see the batches of all GPUs together; on CPUs each process
            normalises for itself.
        accelerator: auto, cpu, gpu or mps.
        devices: processes on each node, one a device.
        nodes: machines.
        strategy: Lightning's name of how processes work together; ddp for several if auto.
        num_workers: reading processes; 0 reads in the main process.
        checkpoint_steps: steps between checkpoints; by time alone if not given.
        checkpoint_minutes: minutes between checkpoints.
        logger: tensorboard if not given; metrics.csv is always written.
        on_collapse: warn, or end with an error, when the features of a branch collapse.
        patience: stop after so many steps without a lower mean loss; never if not given.
        probe_labels: labels of a scene; features are then tried on them while training goes on.
        probe_every: steps between such trials.
        option: further options of the method, each as NAME=VALUE, such as momentum=0.996.
        seed: seed of weights, draws and augmentation.

    Returns:
        path of the bundle, or of the folder.
    """
    from rich.console import Console

    from sscl_geo.cli.options import parse_options
    from sscl_geo.io.atomic import ensure_folder
    from sscl_geo.pretraining import pretrain as run
    from sscl_geo.probing.online import PixelProbe
    from sscl_geo.progress import is_main_rank
    from sscl_geo.report.pretraining import write_curves, write_features
    from sscl_geo.run_folder import RunFolder
    from sscl_geo.trainer_options import TrainerOptions

    folder = RunFolder.beside(out)
    bundle = out if out.suffix == ".safetensors" else folder.bundle
    ensure_folder(bundle.parent)
    console = Console(soft_wrap=True, highlight=False, quiet=not is_main_rank())
    done = folder.step() if resume else None
    if done is not None:
        console.print(f"Going on from {folder.last}, {done} of {steps} steps done", markup=False)
    terms = {
        "instance_weight": instance_weight,
        "spatial_weight": spatial_weight,
        "semantic_weight": semantic_weight,
        "dense_stride": dense_stride,
        "pixel_factors": pixel_factors,
    }
    result = run(
        scenes,
        out=bundle,
        run=folder.root,
        resume=resume,
        method=method,
        encoder_name=encoder,
        bands=bands,
        steps=steps,
        batch_size=batch_size,
        patch_size=patch_size,
        overlap=overlap,
        zoom=zoom,
        rotation=rotation,
        min_valid=min_valid,
        lr=lr,
        num_workers=num_workers,
        seed=seed,
        task_options={
            "weights": weights,
            "optimizer": optimizer,
            "weight_decay": weight_decay,
            "warmup_steps": warmup_steps,
            "base_batch": base_batch,
            **{name: value for name, value in terms.items() if value is not None},
            **parse_options(option or []),
        },
        trainer_options=TrainerOptions(
            accelerator=accelerator,
            devices=devices,
            nodes=nodes,
            strategy=strategy,
            precision=precision,
            accumulate=accumulate,
            sync_bn=sync_bn,
            compile=compile,
        ),
        checkpoint_steps=checkpoint_steps,
        checkpoint_minutes=checkpoint_minutes,
        loggers=[name for name in logger or ["tensorboard"] if name != "none"],
        on_collapse=on_collapse,
        patience=patience,
        callbacks=[] if probe_labels is None else [PixelProbe(probe_labels, probe_every)],
        aoi=None if aoi is None else str(aoi),
        dates=dates,
        clouds=clouds,
        max_days_apart=max_days_apart,
        strict=strict,
        cache=None if cache is None else str(cache),
        preset=preset,
        strength=strength,
    )
    if is_main_rank():
        write_curves(result.history, folder.curves)
        write_features(result.bundle, result.scenes[0], folder.pca)
    last = result.history.tail(10).mean(numeric_only=True)
    values = ", ".join(f"{name} {value:.3f}" for name, value in last.items() if name != "step")
    console.print(f"Mean of the last steps: {values}")
    console.print(f"encoder {bundle}\nrun     {folder.root}", markup=False)
    return out
