"""Segmenting a scene: from a network to a map that a GIS shows with names and colours."""

import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import rasterio
import torch

import sscl_geo
from sscl_geo.classes import ClassTable
from sscl_geo.decision import Decision
from sscl_geo.errors import ConfigError, SceneError
from sscl_geo.io.area import AreaOfInterest
from sscl_geo.io.scene import Scene
from sscl_geo.io.units import BandUnits
from sscl_geo.maps.bands import match_bands
from sscl_geo.maps.compute import compute_layers
from sscl_geo.maps.disk import writing_into
from sscl_geo.maps.files import RUN_TAG, MapProducts, finish_map, has_data
from sscl_geo.maps.inference import ClassNetwork, HasUnits, Rows, TileNetwork, predict_rows
from sscl_geo.maps.interest import Interest
from sscl_geo.maps.layers import (
    Layer,
    LayerName,
    WithPeak,
    class_layer,
    make_layer,
)
from sscl_geo.maps.memory import gdal_cache, plan_memory, warm_up
from sscl_geo.maps.partial import PartialMap, partial_folder
from sscl_geo.maps.postprocess import PostProcessing
from sscl_geo.maps.run import run_hash
from sscl_geo.maps.tiles import TilePlan


@torch.inference_mode()
def segment(
    scene: Scene,
    predictor: ClassNetwork,
    out: Path,
    *,
    tile: int = 256,
    margin: int = 16,
    overlap: float = 0.25,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    layers: Collection[LayerName] = (),
    polygons: Path | None = None,
    aoi: AreaOfInterest | None = None,
    post: PostProcessing | None = None,
    memory: float = 2.0,
    resume: bool = True,
    provenance: Mapping[str, str] | None = None,
    tell: Callable[[str], None] | None = None,
    any_units: bool = False,
) -> MapProducts:
    """Segment a scene of any size and write a map on its grid.

    The scene is read, shown to the network in overlapping tiles, blended and written row by row, so
    that memory grows with its width but not with its height. Reading, inference and writing run
    side by side. Every file appears whole or not at all, the map last.

    A run that was killed goes on where it was when it is started again, and a map that is there
    already is left alone, if scene, network and parameters are the same.

    Args:
        scene: what to segment.
        predictor: the network, in evaluation mode on ``device``; see
            :func:`~sscl_geo.models.predictor.build_predictor`. Its attribute ``decision`` says how
            classes are decided, by the most probable one if it has none; where they do not exclude
            each other the map has a band for each.
        out: the map to write, a ``.tif``; what belongs to it is written beside it.
        tile: height and width of what the network gets at once, in pixels; a multiple of its
            stride.
        margin: pixels at each side of a tile that serve as context only. Where it is at least the
            network's receptive radius the map does not depend on ``tile``.
        overlap: share of a tile without its margins, 0 to 0.5, that neighbours share and blend.
        batch_size: number of tiles shown to the network at once; if None as many as make 512 x 512
            pixels on the CPU, whose cache holds no more, and 2048 x 2048 on a GPU.
        device: where the predictor is.
        layers: rasters to write beside the classes, see :func:`~sscl_geo.maps.layers.make_layer`.
        polygons: file of the map's regions, see
            :func:`~sscl_geo.maps.products.polygons.write_polygons`, or None. With the layer
            ``"confidence"`` each has its mean confidence.
        aoi: where a map is wanted: a vector file or polygons in any coordinate reference system;
            everywhere if None.
        post: how the classes are tidied at the end; not at all if None.
        memory: gigabytes (10^9 bytes) that the process should not exceed. Wide scenes are computed
            in column strips to keep to it; what the network needs for a batch is not in our hands.
        resume: whether to go on from what an earlier run left, and to leave a finished map alone.
        provenance: text by topic, written into the tags of the rasters.
        tell: is told, before work starts, how much memory it will take or that nothing is to do.
        any_units: take the scene's numbers as they are, whatever they stand for.

    Returns:
        the paths of what was written.

    Raises:
        BandError: if the scene's bands are not the predictor's.
        ConfigError: if tile, margin and overlap do not make a tiling, or another option is wrong.
        OutputError: if a file cannot be written.
        SceneError: if the scene cannot be read or has no valid pixel.
        UnitsError: if it is not told how the scene's units compare with the predictor's; see
            :class:`~sscl_geo.io.units.BandUnits`.
    """
    bands = match_bands(scene, predictor.bands)
    if not any_units and isinstance(predictor, HasUnits):
        predictor = predictor.in_units(BandUnits.of(scene, bands), scene.path)
    plan = TilePlan(scene.shape, tile, margin, overlap, predictor.stride)
    interest = None if aoi is None else Interest(aoi, scene, plan)
    decision = getattr(predictor, "decision", Decision())
    post = post or PostProcessing()
    if not decision.is_exclusive:
        _refuse_of_several_labels(post, polygons)
    names = tuple(sorted(set(layers)))
    products = MapProducts.beside(out, names, polygons=polygons, exclusive=decision.is_exclusive)
    products.refuse_overwriting(Path(scene.path))
    parameters = {"tile": tile, "margin": margin, "overlap": overlap}
    on_host = torch.device(device).type == "cpu"
    batch_size = batch_size or max(1, ((512 if on_host else 2048) // tile) ** 2)
    area = None if interest is None else interest.wkb.hex()
    settings = {**parameters, "layers": names, "post": repr(post), "area": area}
    run = run_hash(scene, predictor, settings)
    if resume and run is not None and products.made_by(run):
        shutil.rmtree(partial_folder(out), ignore_errors=True)
        if tell is not None:
            tell(f"{out} is finished already")
        return products

    written = _layers(predictor.classes, decision, names)
    network: TileNetwork = predictor
    channels = len(predictor.classes)
    if "disagreement" in names:
        network, channels = WithPeak(predictor), channels + 1
    process = warm_up(network, (batch_size, len(predictor.bands), tile, tile), device)
    need = plan_memory(
        scene,
        plan,
        written,
        channels,
        process=process,
        bands=len(predictor.bands),
        batch_size=batch_size,
        limit=memory * 1e9,
        on_host=on_host,
    )
    if tell is not None:
        tell(f"memory {need}")
    partial = PartialMap(partial_folder(out), run or "", written, plan, need.parts, resume=resume)

    def predict(part: int) -> Iterator[Rows]:
        return predict_rows(
            scene,
            network,
            plan,
            channels,
            bands=bands,
            compute=lambda values: [layer.compute(values) for layer in written],
            columns=partial.columns[part],
            from_row=partial.rows_done(part),
            interest=interest,
            batch_size=batch_size,
            device=device,
        )

    with writing_into(out.parent), partial:
        widest = max(columns.width for columns in partial.columns)
        with rasterio.Env(GDAL_CACHEMAX=gdal_cache(scene, widest, len(predictor.bands))):
            compute_layers(partial, written, predict)
            rasters = list(partial.rasters)
            if not has_data(rasters[0]):
                partial.discard()
                raise SceneError(_no_valid_pixel(scene, interest))
            if decision.is_exclusive:
                rasters[0] = post.apply(rasters[0], predictor.classes, scene.geobox)
            tags = _tags(scene, parameters, run, provenance or {})
            finish_map(rasters, products, scene.geobox, predictor.classes, tags)
    return products


def _layers(
    classes: ClassTable, decision: Decision, names: Sequence[LayerName]
) -> tuple[Layer, ...]:
    return class_layer(classes, decision), *(make_layer(n, classes, decision) for n in names)


def _refuse_of_several_labels(post: PostProcessing, polygons: Path | None) -> None:
    if post != PostProcessing() or polygons is not None:
        raise ConfigError(
            "The model gives each pixel any number of classes, in a band each, which cannot be "
            "tidied or drawn as polygons of one class; leave these options out."
        )


def _no_valid_pixel(scene: Scene, interest: Interest | None) -> str:
    where = "" if interest is None else " in the area of interest"
    return (
        f"{scene.path} has no valid pixel{where}; choose another or correct its nodata "
        "value, for example with 'gdal_edit.py -unsetnodata FILE'."
    )


def _tags(
    scene: Scene,
    parameters: Mapping[str, object],
    run: str | None,
    provenance: Mapping[str, str],
) -> dict[str, str]:
    return {
        "TIFFTAG_SOFTWARE": f"sscl-geo {sscl_geo.__version__}",
        "SSCL_GEO_VERSION": sscl_geo.__version__,
        "SSCL_GEO_SCENE": Path(scene.path).name,
        "SSCL_GEO_PARAMETERS": json.dumps(parameters),
        **({} if run is None else {RUN_TAG: run}),
        **{f"SSCL_GEO_{topic.upper()}": text for topic, text in provenance.items()},
    }
