"""Segmenting a scene: from a network to a map that a GIS shows with names and colours."""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray

import sscl_geo
from sscl_geo.classes import NODATA, ClassTable
from sscl_geo.errors import OutputError, SceneError
from sscl_geo.io.scene import Scene
from sscl_geo.maps.bands import match_bands
from sscl_geo.maps.files import MapProducts, WriteRows, write_map
from sscl_geo.maps.inference import Rows, predict_rows
from sscl_geo.maps.tiles import TilePlan
from sscl_geo.progress import progress_bar

if TYPE_CHECKING:
    from sscl_geo.models.predictor import Predictor

CACHE_BYTES: Final = (64 * 2**20, 2**30)
"""Least and most memory that GDAL may use for decoded blocks."""


@torch.inference_mode()
def segment(
    scene: Scene,
    predictor: "Predictor",
    out: Path,
    *,
    tile: int = 256,
    margin: int = 16,
    overlap: float = 0.25,
    batch_size: int = 8,
    device: torch.device | str = "cpu",
    confidence: Path | None = None,
    polygons: Path | None = None,
    provenance: Mapping[str, str] | None = None,
) -> MapProducts:
    """Segment a scene of any size and write a map on its grid.

    The scene is read, shown to the network in overlapping tiles, blended and written row by row, so
    that memory grows with its width but not with its height. Reading, inference and writing run
    side by side. Every file appears whole or not at all, the map last.

    Args:
        scene: what to segment.
        predictor: the network, in evaluation mode on ``device``.
        out: the map to write, a ``.tif``; its style and attributes are written beside it.
        tile: height and width of what the network gets at once, in pixels; a multiple of its
            stride.
        margin: pixels at each side of a tile that serve as context only. Where it is at least the
            network's receptive radius the map does not depend on ``tile``.
        overlap: share of a tile without its margins, 0 to 0.5, that neighbours share and blend.
        batch_size: number of tiles shown to the network at once.
        device: where the predictor is.
        confidence: raster of the probability of the class shown, in percent, or None.
        polygons: GeoPackage of the map's regions, or None.
        provenance: text by topic, written into the tags of the rasters.

    Returns:
        the paths of what was written.

    Raises:
        BandError: if the scene's bands are not the predictor's.
        ConfigError: if tile, margin and overlap do not make a tiling.
        OutputError: if a file cannot be written.
        SceneError: if the scene cannot be read or has no valid pixel.
    """
    bands = match_bands(scene, predictor.bands)
    plan = TilePlan(scene.shape, tile, margin, overlap, predictor.stride)
    products = MapProducts(
        out, out.with_name(f"{out.name}.aux.xml"), out.with_suffix(".qml"), confidence, polygons
    )
    _refuse_overwriting(scene, products)
    tags = _tags(scene, plan, provenance or {})
    with (
        rasterio.Env(GDAL_CACHEMAX=_cache_bytes(scene)),
        write_map(products, scene.geobox, predictor.classes, tags) as write,
    ):
        rows = predict_rows(
            scene, predictor, plan, bands=bands, batch_size=batch_size, device=device
        )
        if not _write_behind(_with_progress(rows, scene), predictor.classes, write):
            raise SceneError(
                f"{scene.path} has no valid pixel; choose another scene or correct its nodata "
                "value, for example with 'gdal_edit.py -unsetnodata FILE'."
            )
    return products


def _write_behind(rows: Iterator[Rows], classes: ClassTable, write: WriteRows) -> bool:
    """Write rows in a thread while the next are predicted; tell if any pixel was valid."""
    any_valid = False
    with ThreadPoolExecutor(1, thread_name_prefix="write") as pool:
        writing: Future[None] | None = None
        for part in rows:
            any_valid = any_valid or bool(part.valid.any())
            decided = _decide(part, classes)
            if writing is not None:
                writing.result()
            writing = pool.submit(write, *decided)
        if writing is not None:
            writing.result()
    return any_valid


def _decide(rows: Rows, classes: ClassTable) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Value of the most probable class, the first of equals, and its probability in percent."""
    values = torch.tensor(classes.values, dtype=torch.uint8, device=rows.probabilities.device)
    probability, index = rows.probabilities.max(dim=0)
    percent = (probability * 100).round().clamp(0, 100).to(torch.uint8).cpu().numpy()
    value = values[index].cpu().numpy()
    value[~rows.valid] = NODATA
    percent[~rows.valid] = NODATA
    return value, percent


def _with_progress(rows: Iterator[Rows], scene: Scene) -> Iterator[Rows]:
    height, width = scene.shape
    start = time.perf_counter()
    with progress_bar(f"segment {scene.name}", total=height) as bar:
        for part in rows:
            yield part
            done = (part.begin + len(part.valid)) * width
            speed = done / 1e6 / (time.perf_counter() - start)
            bar.advance(len(part.valid), note=f"{speed:.1f} MPix/s")


def _refuse_overwriting(scene: Scene, products: MapProducts) -> None:
    source = Path(scene.path)
    wanted = [p for p in (products.class_map, products.confidence, products.polygons) if p]
    if products.class_map.suffix.lower() not in {".tif", ".tiff"}:
        raise OutputError(
            f"The map is a GeoTIFF, but {products.class_map} does not end in .tif; rename it."
        )
    if len({p.resolve() for p in wanted}) < len(wanted):
        raise OutputError(
            f"Two of the files to write are both called {products.class_map}; "
            "give each its own name."
        )
    if source.resolve() in {p.resolve() for p in wanted}:
        raise OutputError(f"{source} is the scene itself; write the map under another name.")


def _tags(scene: Scene, plan: TilePlan, provenance: Mapping[str, str]) -> dict[str, str]:
    parameters = {"tile": plan.tile, "margin": plan.margin, "overlap": plan.overlap}
    return {
        "TIFFTAG_SOFTWARE": f"sscl-geo {sscl_geo.__version__}",
        "SSCL_GEO_VERSION": sscl_geo.__version__,
        "SSCL_GEO_SCENE": Path(scene.path).name,
        "SSCL_GEO_PARAMETERS": json.dumps(parameters),
        **{f"SSCL_GEO_{topic.upper()}": text for topic, text in provenance.items()},
    }


def _cache_bytes(scene: Scene) -> int:
    """Memory for two rows of the scene's blocks, so that none is decoded twice."""
    rows = min(scene.block_shape[0], scene.shape[0])
    row_bytes = scene.shape[1] * len(scene.bands) * np.dtype(scene.dtype).itemsize
    least, most = CACHE_BYTES
    return min(max(2 * rows * row_bytes, least), most)
