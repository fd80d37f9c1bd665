"""``sscl-geo segment``: from scenes and a model to maps."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sscl_geo.batch.jobs import Job, Outcome


def segment(
    scenes: list[str],
    *,
    model: list[Path],
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
    aoi: Path | None = None,
    resample: bool = False,
    any_units: bool = False,
    tta: bool = False,
    majority: int = 1,
    sieve: int = 0,
    minimum_area: float = 0.0,
    tile: int = 256,
    margin: int = 16,
    overlap: float = 0.25,
    batch_size: int | None = None,
    memory: float = 2.0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    resume: bool = True,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    shard: str | None = None,
    strips: int = 1,
) -> Path:
    """Segment scenes of any size and write maps that a GIS shows with names and colours.

    A run that was stopped goes on where it was when it is started again. Of several scenes those
    that fail are left out and named in manifest.csv, with the reason.

    Args:
        scenes: rasters to segment: files, folders, patterns, URLs.
        model: bundle that 'finetune' wrote; of several the probabilities are averaged.
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
        aoi: vector file of where a map is wanted; the rest is not read.
        resample: read scenes of another resolution at that of the model; the map has it too.
        any_units: take the numbers of scenes as they are, where pixel type, scale and offset do not
            tell how they compare with those that the model was trained on.
        tta: show each tile in its eight flips and turns and average; takes eight times as long.
        majority: side in pixels, odd, of the square whose most frequent class each pixel gets.
        sieve: merge regions of fewer pixels than this into what lies beside them.
        minimum_area: merge regions of less ground than this, in hectares, likewise; a pixel counts
            as much as one in the middle of the map.
        tile: height and width of what the network sees at once, in pixels.
        margin: pixels at each side of a tile that serve as context only.
        overlap: share of a tile that neighbouring tiles share and blend, 0 to 0.5.
        batch_size: tiles shown to the network at once; if not given as many as suit the device.
        memory: gigabytes (10^9 bytes) to stay below; wide scenes are computed in column strips.
        device: where to compute; auto takes the GPU if there is one.
        resume: go on from what a stopped run left and leave finished maps alone.
        engine: ray spreads scenes over a Ray cluster (RAY_ADDRESS, else this machine).
        workers: number of Ray workers; a GPU each, or 4 CPU cores each, if not given.
        shard: which share of the scenes this run does, as 2/8, for arrays of batch systems.
        strips: cut each scene into so many column strips that shards or Ray workers compute apart;
            after all shards the same command without --shard makes the maps of them.

    Returns:
        the map, or the folder of the maps.
    """
    import torch
    from rich.console import Console

    from sscl_geo.batch.jobs import SceneSegmenter, Settings, failures, parse_shard, write_manifest
    from sscl_geo.batch.ray_engine import segment_with_ray
    from sscl_geo.errors import SceneError
    from sscl_geo.io.finding import find_scenes
    from sscl_geo.maps.postprocess import PostProcessing

    console = Console(soft_wrap=True, highlight=False)
    jobs = _jobs(find_scenes(scenes), out, strips)
    manifest = out / "manifest.csv"
    if shard is not None:
        number, total = parse_shard(shard)
        jobs = [part for job in jobs for part in job.shares() or (job,)][number - 1 :: total]
        manifest = out / f"manifest-{number}-of-{total}.csv"
    settings = Settings(
        models=tuple(model),
        device=("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device,
        tta=tta,
        resample=resample,
        options={
            "layers": layers or (),
            "aoi": aoi,
            "post": PostProcessing(majority, sieve, minimum_area),
            "tile": tile,
            "margin": margin,
            "overlap": overlap,
            "batch_size": batch_size,
            "memory": memory,
            "resume": resume,
            "any_units": any_units,
            "tell": None if engine == "ray" else _tell,
        },
        products={
            "polygons": polygons,
            "simplify": simplify,
            "areas": areas,
            "preview": preview,
            "page": page,
            "stac": stac,
        },
    )
    one_map = _is_map(out)
    if engine == "local" and one_map:
        segmenter = SceneSegmenter(settings)
        for job in jobs:
            for path in segmenter.segment(job):
                console.print("written   ", path, markup=False)
        return out
    if engine == "ray":
        running = segment_with_ray(jobs, settings, workers=workers)
    else:
        segmenter = SceneSegmenter(settings)
        running = (segmenter.attempt(job) for job in jobs)
    outcomes = _report(running, jobs)
    if one_map:
        if failed := failures(outcomes):
            raise SceneError(failed[0].error)
        return out
    write_manifest(manifest, outcomes)
    console.print("manifest  ", manifest, markup=False)
    if failed := failures(outcomes):
        raise SceneError(
            f"{len(failed)} of {len(jobs)} scenes could not be segmented; see {manifest} and start "
            f"again, what is finished is left alone (the first: {failed[0].error})"
        )
    return out


def _tell(text: str) -> None:
    from rich.console import Console

    Console(soft_wrap=True, highlight=False).print(text, markup=False)


def _report(running: "Iterable[Outcome]", jobs: "Sequence[Job]") -> "list[Outcome]":
    """Say of each scene when it is done; outcomes in the order of the scenes."""
    outcomes = {}
    for outcome in running:
        outcomes[outcome.output] = outcome
        _tell(f"{outcome.status:<10} {outcome.output} {outcome.error}".rstrip())
    return [outcomes[str(job.output)] for job in jobs]


def _is_map(out: Path) -> bool:
    return out.suffix.lower() in {".tif", ".tiff"}


def _jobs(scenes: list[str], out: Path, strips: int) -> "list[Job]":
    """Where each scene's map goes."""
    from sscl_geo.batch.jobs import Job
    from sscl_geo.errors import ConfigError
    from sscl_geo.io.remote import without_query

    if _is_map(out):
        if len(scenes) > 1:
            raise ConfigError(f"{len(scenes)} scenes do not fit into {out}; give --out a folder.")
        targets = [out]
    else:
        targets = [out / f"{Path(without_query(scene)).stem}.tif" for scene in scenes]
    twice = next((t for t in targets if targets.count(t) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"Two scenes are both called {twice.stem} and would be written to {twice}; "
            "segment them into different folders."
        )
    return [Job(scene, target, strips) for scene, target in zip(scenes, targets, strict=True)]
