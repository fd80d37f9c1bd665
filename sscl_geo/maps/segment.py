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
from sscl_geo.maps.inference import Rows, predict_rows
from sscl_geo.maps.interest import Interest
from sscl_geo.maps.layers import (
    Layer,
    LayerName,
    WithPeak,
    class_layer,
    compute_all,
    make_layer,
    take_index,
)
from sscl_geo.maps.memory import gdal_cache, plan_memory, warm_up
from sscl_geo.maps.networks import ClassNetwork, HasUnits, TileNetwork
from sscl_geo.maps.partial import PartialMap, partial_folder
from sscl_geo.maps.postprocess import PostProcessing
from sscl_geo.maps.run import run_hash
from sscl_geo.maps.shares import finished_shares, remove_shares, share_folder
from sscl_geo.maps.steps import is_compiled
from sscl_geo.maps.tiles import PlanShare, TilePlan


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
    strips: int = 1,
    strip: int | None = None,
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
        strips: number of column strips that processes compute apart, into folders beside the map,
            each with ``strip``. A call without it takes over those that are complete, computes
            the others, and writes the map, which is the same: to the last byte with a
            ``batch_size`` of 1, for a network may round by how many tiles it sees at once.
        strip: which of them to compute, from 1; the whole map if None.
        provenance: text by topic, written into the tags of the rasters.
        tell: is told, before work starts, how much memory it will take or that nothing is to do.
        any_units: take the scene's numbers as they are, whatever they stand for.

    Returns:
        the paths of what was written; with ``strip``, of what will be.

    Raises:
        BandError: if the scene's bands are not the predictor's.
        ConfigError: if tile, margin and overlap do not make a tiling, or another option is wrong.
        OutputError: if a file cannot be written.
        SceneError: if the scene cannot be read or has no valid pixel.
        UnitsError: if it is not told how the scene's units compare with the predictor's; see
            :class:`~sscl_geo.io.units.BandUnits`.
    """
    bands = match_bands(scene, predictor.bands)
    predictor = predictor if any_units else _in_units_of(scene, bands, predictor)
    plan = TilePlan(scene.shape, tile, margin, overlap, predictor.stride)
    interest = None if aoi is None else Interest(aoi, scene, plan)
    decision = getattr(predictor, "decision", Decision())
    post = post or PostProcessing()
    _refuse_of_several_labels(decision, post, polygons)
    names = tuple(sorted(set(layers)))
    products = MapProducts.beside(out, names, polygons=polygons, exclusive=decision.is_exclusive)
    products.refuse_overwriting(Path(scene.path))
    parameters = {"tile": tile, "margin": margin, "overlap": overlap}
    on_host = torch.device(device).type == "cpu"
    batch_size = batch_size or max(1, ((512 if on_host else 2048) // tile) ** 2)
    settings = {
        **parameters,
        "layers": names,
        "post": repr(post),
        "area": None if interest is None else interest.wkb.hex(),
    }
    run = run_hash(scene, predictor, settings)
    tell = tell or _say_nothing
    if resume and run is not None and products.made_by(run):
        shutil.rmtree(partial_folder(out), ignore_errors=True)
        remove_shares(out)
        tell(f"{out} is finished already")
        return products

    written = _layers(predictor.classes, decision, names)
    network: TileNetwork = predictor
    channels = len(predictor.classes)
    if "disagreement" in names:
        network, channels = WithPeak(predictor), channels + 1
    share = _share(plan, strips, strip)
    process = warm_up(
        network,
        (batch_size, len(predictor.bands), tile, tile),
        device,
        (channels, scene.dtype) if is_compiled(plan, device) else None,
    )
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
        share=share,
    )
    tell(f"memory {need}")
    partial = _partial(out, run or "", written, share, need.parts, strips, resume=resume)
    ready = finished_shares(out, run, written, plan, strips) if resume and strip is None else []

    def predict(part: int) -> Iterator[Rows]:
        columns, begin = partial.columns[part], partial.rows_done(part)
        taken = next((done for done in ready if done.holds(columns)), None)
        if taken is not None:
            return taken.rows(columns, begin)
        return predict_rows(
            scene,
            network,
            plan,
            channels,
            bands=bands,
            compute=lambda values: compute_all(written, values),
            index_only=take_index(written),
            columns=columns,
            from_row=begin,
            interest=interest,
            batch_size=batch_size,
            device=device,
        )

    with writing_into(out.parent), partial:
        widest = max(columns.width for columns in partial.columns)
        with rasterio.Env(GDAL_CACHEMAX=gdal_cache(scene, widest, len(predictor.bands))):
            compute_layers(partial, written, predict)
            if strip is not None:
                partial.keep()
                return products
            classes, *others = partial.rasters
            if not has_data(classes):
                partial.discard()
                raise SceneError(_no_valid_pixel(scene, interest))
            classes = post.apply(classes, predictor.classes, scene.geobox)
            tags = _tags(scene, parameters, run, provenance or {})
            finish_map([classes, *others], products, scene.geobox, predictor.classes, tags)
    remove_shares(out)
    return products


def _share(plan: TilePlan, strips: int, strip: int | None) -> PlanShare:
    """What this call computes: one strip, or what is not there of the map."""
    share = plan.share(1 if strip is None else strip, strips)
    return plan.share(1, 1) if strip is None else share


def _partial(
    out: Path,
    run: str,
    layers: Sequence[Layer],
    share: PlanShare,
    parts: int,
    strips: int,
    *,
    resume: bool,
) -> PartialMap:
    """The map, or the share of it, that is to be computed in at least so many parts."""
    if share.total > 1:
        if not run:
            raise ConfigError(
                "Column strips of a network that is no PyTorch module cannot be told from those of "
                "another; compute the map at once."
            )
        folder = share_folder(out, share.number, share.total)
        return PartialMap(folder, run, layers, share, parts, resume=resume)
    # Each part lies in one strip, from which it may be taken over.
    in_strip = min(-(-parts // strips), len(share.plan.cols) // strips)
    return PartialMap(partial_folder(out), run, layers, share, strips * in_strip, resume=resume)


def _layers(
    classes: ClassTable, decision: Decision, names: Sequence[LayerName]
) -> tuple[Layer, ...]:
    return class_layer(classes, decision), *(make_layer(n, classes, decision) for n in names)


def _in_units_of(
    scene: Scene, bands: Sequence[str] | None, predictor: ClassNetwork
) -> ClassNetwork:
    if isinstance(predictor, HasUnits):
        return predictor.in_units(BandUnits.of(scene, bands), scene.path)
    return predictor


def _say_nothing(_told: str) -> None:
    """For callers who do not listen."""


def _refuse_of_several_labels(
    decision: Decision, post: PostProcessing, polygons: Path | None
) -> None:
    if not decision.is_exclusive and (post != PostProcessing() or polygons is not None):
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
