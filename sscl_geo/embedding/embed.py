"""Dense embeddings of a scene as a raster that a GIS reads."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.shutil import copy  # ty: ignore[import-not-found] - compiled

import sscl_geo
from sscl_geo.embedding.cells import cell_rows
from sscl_geo.embedding.components import Components, fit_components
from sscl_geo.embedding.embedder import Embedder, Grid, PixelEmbedder
from sscl_geo.errors import OutputError, SceneError
from sscl_geo.geometry.grid import grid_shape, grid_wkt
from sscl_geo.io.atomic import atomic_path
from sscl_geo.io.scene import Scene
from sscl_geo.io.units import BandUnits
from sscl_geo.maps.bands import match_bands
from sscl_geo.maps.disk import writing_into
from sscl_geo.maps.inference import predict_rows
from sscl_geo.maps.tiles import TilePlan
from sscl_geo.progress import progress_bar

EmbeddingType = Literal["float16", "int8"]

_INT8_NODATA, _INT8_MOST = -128, 127

type FeatureRows = Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]


def embed(
    scene: Scene,
    embedder: Embedder,
    out: Path,
    *,
    components: int | None = 3,
    grid: Grid = "cells",
    dtype: EmbeddingType = "float16",
    tile: int = 256,
    margin: int = 32,
    overlap: float = 0.25,
    batch_size: int = 8,
    device: torch.device | str = "cpu",
    seed: int = 0,
    tags: Mapping[str, str] | None = None,
    any_units: bool = False,
) -> Path:
    """Write dense features of a scene of any size as a Cloud Optimized GeoTIFF.

    Tiles are read, encoded and blended row by row, as maps are, so that memory does not grow with
    the scene's height.

    Args:
        scene: what to embed.
        embedder: gives features, in evaluation mode on ``device``.
        out: the raster to write, a ``.tif``.
        components: number of principal components, fitted to some tiles of the scene; all features
            as they are if None.
        grid: ``"cells"``: one pixel for each feature cell, ``embedder.cell`` pixels of the scene
            wide; ``"pixels"``: the scene's own grid, features interpolated between cell centres.
        dtype: ``"float16"``, NaN where there is no data; ``"int8"`` with a scale for each band in
            the file, -128 where there is no data.
        tile: height and width of what the network gets at once, in pixels.
        margin: pixels at each side of a tile that serve as context only.
        overlap: share of a tile without its margins, 0 to 0.5, that neighbours share and blend.
        batch_size: number of tiles shown to the network at once.
        device: where the embedder is.
        seed: seed of the tiles that components are fitted to.
        tags: text by name, written into the file.
        any_units: take the scene's numbers as they are, whatever they stand for.

    Returns:
        ``out``.

    Raises:
        BandError: if the scene's bands are not the embedder's.
        ConfigError: if tile, margin and overlap do not make a tiling, or there are not so many
            components.
        OutputError: if the file cannot be written.
        SceneError: if the scene cannot be read or has no valid pixel.
        UnitsError: if it is not told how the scene's units compare with the embedder's.
    """
    if out.suffix.lower() not in {".tif", ".tiff"} or out.resolve() == Path(scene.path).resolve():
        raise OutputError(
            f"Embeddings are a GeoTIFF beside the scene, but {out} does not end in .tif or is the "
            "scene itself; choose another name."
        )
    bands = match_bands(scene, embedder.bands)
    if not any_units:
        embedder = embedder.in_units(BandUnits.of(scene, bands), scene.path)
    plan = TilePlan(scene.shape, tile, margin, overlap, embedder.stride)
    found = fit_components(
        scene, embedder, components, bands=bands, tile=tile, seed=seed, device=device
    )
    network = PixelEmbedder(embedder, found.mean, found.vectors, grid).to(device).eval()
    count = len(found.vectors)
    rows = predict_rows(
        scene, network, plan, count, bands=bands, batch_size=batch_size, device=device
    )
    features: FeatureRows = ((part.values[0].cpu().numpy(), part.valid) for part in rows)
    geobox = scene.geobox
    if grid == "cells":
        features = cell_rows(features, embedder.cell)
        geobox = cell_grid(geobox, embedder.cell)
    with writing_into(out.parent), atomic_path(out) as temporary:
        _write(temporary, geobox, _with_progress(features, scene, geobox), found, dtype, tags or {})
    return out


def cell_grid(geobox: GeoBox, cell: int) -> GeoBox:
    """Grid of cells of ``cell`` x ``cell`` pixels, from the first pixel on; it covers all pixels.

    Example:
        >>> from affine import Affine
        >>> from odc.geo.geobox import GeoBox
        >>> cells = cell_grid(GeoBox((20, 33), Affine(10, 0, 5000, 0, -10, 9000), "EPSG:32612"), 8)
        >>> cells.shape, cells.affine.a, cells.affine.c
        (Shape2d(x=5, y=3), 80.0, 5000.0)
    """
    height, width = (-(-size // cell) for size in grid_shape(geobox))
    return GeoBox((height, width), geobox.affine @ Affine.scale(cell), geobox.crs)


def _with_progress(features: FeatureRows, scene: Scene, geobox: GeoBox) -> FeatureRows:
    with progress_bar(f"embed {scene.name}", total=grid_shape(geobox)[0]) as bar:
        for values, valid in features:
            yield values, valid
            bar.advance(len(valid))


def _write(
    path: Path,
    geobox: GeoBox,
    features: FeatureRows,
    found: Components,
    dtype: EmbeddingType,
    tags: Mapping[str, str],
) -> None:
    """Write rows into a plain GeoTIFF, in strips since rows come in any number, and copy it."""
    scale = np.maximum(found.largest.numpy(), 1e-12) / _INT8_MOST
    height, width = grid_shape(geobox)
    any_valid = False
    with tempfile.TemporaryDirectory(".partial", f".{path.stem}.", path.parent) as folder:
        plain = Path(folder) / "rows.tif"
        with rasterio.open(
            plain,
            "w",
            driver="GTiff",
            # GDAL 3.12 cannot average float16 into overviews; the copy has 16 bits.
            dtype="float32" if dtype == "float16" else dtype,
            count=len(scale),
            height=height,
            width=width,
            crs=grid_wkt(geobox),
            transform=geobox.affine,
            nodata=np.nan if dtype == "float16" else _INT8_NODATA,
            bigtiff="if_safer",
        ) as target:
            target.update_tags(**{"TIFFTAG_SOFTWARE": f"sscl-geo {sscl_geo.__version__}", **tags})
            target.descriptions = _names(found)
            if dtype == "int8":
                target.scales = scale.tolist()
            top = 0
            for values, valid in features:
                any_valid = any_valid or bool(valid.any())
                window = ((top, top + len(valid)), (0, width))
                target.write(_encode(values, valid, scale, dtype), window=window)
                top += len(valid)
        if not any_valid:
            raise SceneError("The scene has no valid pixel; correct its nodata value.")
        bits = {"NBITS": 16, "PREDICTOR": "NO"} if dtype == "float16" else {"PREDICTOR": "STANDARD"}
        copy(
            plain,
            path,
            driver="COG",
            COMPRESS="DEFLATE",
            **bits,
            OVERVIEW_RESAMPLING="AVERAGE",
            BIGTIFF="IF_SAFER",
            NUM_THREADS="ALL_CPUS",
        )


def _encode(
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    scale: NDArray[np.float32],
    dtype: EmbeddingType,
) -> NDArray[np.float32] | NDArray[np.int8]:
    if dtype == "float16":
        return np.where(valid, values, np.float32(np.nan))
    steps = np.rint(values / scale[:, None, None]).clip(-_INT8_MOST, _INT8_MOST)
    return np.where(valid, steps, _INT8_NODATA).astype(np.int8)


def _names(found: Components) -> tuple[str, ...]:
    shares = found.share.tolist()
    if not np.isfinite(shares).all():
        return tuple(f"feature {i}" for i in range(1, len(shares) + 1))
    return tuple(f"PC{i} ({share:.1%})" for i, share in enumerate(shares, start=1))
