"""``sscl-geo embed``: dense features of a scene as a raster for a GIS."""

from pathlib import Path
from typing import Literal


def embed(
    scene: Path,
    *,
    model: Path,
    out: Path,
    components: int = 3,
    all_features: bool = False,
    grid: Literal["cells", "pixels"] = "cells",
    cell: int = 8,
    dtype: Literal["float16", "int8"] = "float16",
    tile: int = 256,
    margin: int = 32,
    overlap: float = 0.25,
    batch_size: int = 8,
    any_units: bool = False,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    seed: int = 0,
) -> Path:
    """Write dense features of a scene as a Cloud Optimized GeoTIFF.

    Args:
        scene: raster to embed.
        model: bundle that 'pretrain' or 'finetune' wrote.
        out: raster to write, ending in .tif.
        components: principal components of the features to write, the most telling first; three
            show as red, green and blue.
        all_features: write the features as they are instead of components; hundreds of bands.
        grid: 'cells' writes a pixel for each feature cell, 'pixels' interpolates to the scene's
            own grid.
        cell: pixels of the scene per feature cell: 2, 4, 8, 16 or 32; 1 gives the pixel factors
            that 'pretrain --pixel-factors 20' learned beside the encoder.
        dtype: float16, or int8 with a scale for each band, which GIS programs apply.
        tile: height and width of what the network sees at once, in pixels.
        margin: pixels at each side of a tile that serve as context only.
        overlap: share of a tile that neighbouring tiles share and blend, 0 to 0.5.
        batch_size: tiles shown to the network at once.
        any_units: take the scene's numbers as they are, where pixel type, scale and offset do not
            tell how they compare with those that the model was trained on.
        device: where to compute; auto takes the GPU if there is one.
        seed: seed of the tiles that components are fitted to.

    Returns:
        the raster.
    """
    import torch
    from rich.console import Console

    from sscl_geo.bundle import bundle_hash, load_bundle
    from sscl_geo.embedding.embed import embed as embed_scene
    from sscl_geo.embedding.embedder import build_embedder
    from sscl_geo.errors import ConfigError
    from sscl_geo.io.scene import open_scene

    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("PyTorch finds no GPU on this machine; choose --device cpu.")
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    embedder = build_embedder(load_bundle(model), cell).to(where)
    embed_scene(
        open_scene(scene),
        embedder,
        out,
        components=None if all_features else components,
        grid=grid,
        dtype=dtype,
        tile=tile,
        margin=margin,
        overlap=overlap,
        batch_size=batch_size,
        device=where,
        seed=seed,
        any_units=any_units,
        tags={"SSCL_GEO_BUNDLE": model.name, "SSCL_GEO_BUNDLE_SHA256": bundle_hash(model)},
    )
    Console(soft_wrap=True, highlight=False).print("embedding", out, markup=False)
    return out
