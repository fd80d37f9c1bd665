"""``sscl-geo pretrain``: learn an encoder from raw scenes, without labels."""

from pathlib import Path
from typing import Literal


def pretrain(
    scenes: list[str],
    *,
    out: Path = Path("encoder.safetensors"),
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
    instance_weight: float = 1.0,
    spatial_weight: float = 0.5,
    semantic_weight: float = 0.5,
    dense_stride: int = 8,
    lr: float = 1e-3,
    num_workers: int = 0,
    accelerator: str = "auto",
    seed: int = 0,
) -> Path:
    """Pretrain an encoder on raw scenes with SSCCL, without labels.

    Args:
        scenes: raster files, folders or patterns; each scene keeps its own CRS and resolution.
        out: bundle to write (safetensors).
        encoder: name in segmentation-models-pytorch, or tu- and a name of timm.
        weights: pretrained weights to start from, for example imagenet; random if not given.
        bands: names of the bands to use, in this order; all if not given.
        steps: optimiser steps.
        batch_size: pairs of views a step.
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
        instance_weight: weight of the instance term; 0 leaves it out.
        spatial_weight: weight of the spatial consistency term; 0 leaves it out.
        semantic_weight: weight of the semantic consistency term; 0 leaves it out.
        dense_stride: pixels per dense feature cell: 4, 8, 16 or 32.
        lr: greatest learning rate of AdamW.
        num_workers: reading processes; 0 reads in the main process.
        accelerator: auto, cpu, gpu or mps.
        seed: seed of weights, draws and augmentation.

    Returns:
        path of the bundle.
    """
    from rich import print as rich_print

    from sscl_geo.datasets.scenes import SceneDataset
    from sscl_geo.io.atomic import atomic_path, ensure_folder
    from sscl_geo.pretraining import pretrain as run
    from sscl_geo.tasks.sscl import SSCCL

    ensure_folder(out.parent)
    in_channels = len(SceneDataset(scenes, bands, strict=strict).bands)
    task = SSCCL(
        encoder=encoder,
        in_channels=in_channels,
        weights=weights,
        instance_weight=instance_weight,
        spatial_weight=spatial_weight,
        semantic_weight=semantic_weight,
        dense_stride=dense_stride,
        min_valid=min_valid,
        lr=lr,
    )
    result = run(
        scenes,
        out=out,
        task=task,
        bands=bands,
        steps=steps,
        batch_size=batch_size,
        patch_size=patch_size,
        overlap=overlap,
        zoom=zoom,
        rotation=rotation,
        min_valid=min_valid,
        num_workers=num_workers,
        accelerator=accelerator,
        seed=seed,
        aoi=None if aoi is None else str(aoi),
        dates=dates,
        clouds=clouds,
        max_days_apart=max_days_apart,
        strict=strict,
        cache=None if cache is None else str(cache),
    )
    curves = out.with_suffix(".history.csv")
    with atomic_path(curves) as temporary:
        result.history.to_csv(temporary, index=False)
    last = result.history.tail(10).mean(numeric_only=True)
    values = ", ".join(f"{name} {value:.3f}" for name, value in last.items() if name != "step")
    rich_print(f"Mean of the last steps: {values}")
    rich_print(f"Encoder: {out}\nCurves:  {curves}")
    return out
