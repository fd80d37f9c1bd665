"""``sscl-geo segment``: from scenes and a model to maps."""

from pathlib import Path
from typing import Literal


def segment(
    scenes: list[Path],
    *,
    model: Path,
    out: Path,
    layers: list[
        Literal[
            "confidence", "entropy", "margin", "disagreement", "probabilities", "probabilities16"
        ]
    ]
    | None = None,
    polygons: Literal["gpkg", "fgb", "parquet"] | None = None,
    simplify: float = 0.0,
    areas: bool = False,
    preview: bool = False,
    page: bool = False,
    stac: bool = False,
    tile: int = 256,
    margin: int = 16,
    overlap: float = 0.25,
    batch_size: int = 8,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> Path:
    """Segment scenes of any size and write maps that a GIS shows with names and colours.

    Args:
        scenes: rasters to segment.
        model: bundle that 'finetune' wrote.
        out: the map to write, ending in .tif; for several scenes a folder, in which each map gets
            the name of its scene.
        layers: rasters to write beside the classes, as NAME.LAYER.tif: probability of the class
            shown, entropy, lead over the next class, disagreement between overlapping tiles, all in
            percent; probabilities of all classes in 250ths or as float16.
        polygons: write the connected regions of each class as GeoPackage (NAME.gpkg), FlatGeobuf
            (NAME.fgb) or GeoParquet (NAME.parquet).
        simplify: tolerance of the polygons' outlines in pixels, shared borders staying shared; 0
            keeps the outlines of pixels.
        areas: write pixels and hectares of each class as NAME.areas.csv.
        preview: write a picture with its legend as NAME.png.
        page: write a web page with the map over the scene, which needs no network, as NAME.html.
        stac: write STAC items of map and model, and a catalogue over the folder.
        tile: height and width of what the network sees at once, in pixels.
        margin: pixels at each side of a tile that serve as context only.
        overlap: share of a tile that neighbouring tiles share and blend, 0 to 0.5.
        batch_size: tiles shown to the network at once.
        device: where to compute; auto takes the GPU if there is one.

    Returns:
        the map, or the folder of the maps.
    """
    import torch
    from rich.console import Console

    from sscl_geo.bundle import bundle_hash, load_bundle
    from sscl_geo.errors import ConfigError
    from sscl_geo.io.scene import open_scene
    from sscl_geo.maps.resolution import check_resolution
    from sscl_geo.maps.segment import segment as segment_scene
    from sscl_geo.models.predictor import build_predictor
    from sscl_geo.publishing import write_products

    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("PyTorch finds no GPU on this machine; choose --device cpu.")
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    targets = _targets(scenes, out)
    bundle = load_bundle(model, kind="segmenter")
    opened = [open_scene(scene) for scene in scenes]
    for scene in opened:
        check_resolution(bundle, scene)
    predictor = build_predictor(bundle).to(where)
    provenance = {"bundle": model.name, "bundle_sha256": bundle_hash(model)}
    console = Console(soft_wrap=True, highlight=False)
    for scene, target in zip(opened, targets, strict=True):
        products = segment_scene(
            scene,
            predictor,
            target,
            tile=tile,
            margin=margin,
            overlap=overlap,
            batch_size=batch_size,
            device=where,
            layers=layers or (),
            provenance=provenance,
        )
        console.print("map       ", products.class_map, markup=False)
        for name, path in products.layers.items():
            console.print(f"{name:<10}", path, markup=False)
        for path in write_products(
            target,
            polygons=polygons,
            simplify=simplify,
            areas=areas,
            preview=preview,
            page=page,
            stac=stac,
            scene=scene,
            model=model,
        ):
            console.print("product   ", path, markup=False)
    return out


def _targets(scenes: list[Path], out: Path) -> list[Path]:
    """Where each scene's map goes."""
    from sscl_geo.errors import ConfigError

    if not scenes:
        raise ConfigError("There is no scene to segment; name at least one.")
    if len(scenes) == 1 and out.suffix.lower() in {".tif", ".tiff"}:
        return [out]
    if out.suffix.lower() in {".tif", ".tiff"}:
        raise ConfigError(f"{len(scenes)} scenes do not fit into {out}; give --out a folder.")
    targets = [out / f"{scene.stem}.tif" for scene in scenes]
    twice = next((t for t in targets if targets.count(t) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"Two scenes are both called {twice.stem} and would be written to {twice}; "
            "segment them into different folders."
        )
    return targets
