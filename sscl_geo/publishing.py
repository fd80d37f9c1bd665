"""From a finished map to what people use it with: polygons, tables, pictures, pages, STAC."""

import os
from pathlib import Path
from typing import Literal

from sscl_geo.bundle import load_bundle
from sscl_geo.errors import OutputError
from sscl_geo.io.atomic import atomic_path
from sscl_geo.io.scene import Scene
from sscl_geo.maps.products.finished import FinishedMap, open_map
from sscl_geo.maps.products.polygons import write_polygons
from sscl_geo.maps.products.stac import write_catalog, write_item
from sscl_geo.mlm import write_model_item

PolygonFormat = Literal["gpkg", "fgb", "parquet"]


def write_products(
    map_path: str | os.PathLike[str],
    *,
    polygons: PolygonFormat | None = None,
    simplify: float = 0.0,
    areas: bool = False,
    preview: bool = False,
    page: bool = False,
    stac: bool = False,
    scene: Scene | None = None,
    model: str | os.PathLike[str] | None = None,
) -> tuple[Path, ...]:
    """Write products of a finished map beside it, under its name.

    Each file appears whole or not at all, and replaces what stood there. The map itself is only
    read.

    Args:
        map_path: a map that ``segment`` wrote.
        polygons: write the connected regions of each class as GeoPackage (``NAME.gpkg``),
            FlatGeobuf (``NAME.fgb``) or GeoParquet (``NAME.parquet``).
        simplify: tolerance of the polygons' outlines in pixels; 0 keeps the outlines of pixels.
        areas: write pixels, percent and hectares of each class as ``NAME.areas.csv``.
        preview: write a picture with its legend as ``NAME.png``.
        page: write a web page that needs no network as ``NAME.html``, over the scene if given.
        stac: write a STAC item as ``NAME.stac.json``, that of the model as ``MODEL.mlm.json``, and
            ``catalog.json`` over all items of the folder.
        scene: what the map was made from.
        model: the bundle that made it.

    Returns:
        the files, in the order of the options.

    Raises:
        BundleError: if the model cannot be read.
        OutputError: if a file cannot be written.
        SceneError: if the map or the scene cannot be read.
    """
    if not (polygons or areas or preview or page or stac):
        return ()
    class_map = open_map(map_path)
    written: list[Path] = []
    if polygons:
        written.append(_polygons(class_map, polygons, simplify))
    if areas:
        written.append(_areas(class_map))
    if preview:
        written.append(_preview(class_map))
    if page:
        from sscl_geo.report.map_page import write_map_page

        written.append(write_map_page(class_map, class_map.path.with_suffix(".html"), scene))
    if stac:
        written += _stac(class_map, scene, None if model is None else Path(model))
    return tuple(written)


def _polygons(class_map: FinishedMap, suffix: PolygonFormat, simplify: float) -> Path:
    path = class_map.path.with_suffix(f".{suffix}")
    with atomic_path(path) as temporary:
        try:
            write_polygons(
                class_map.path,
                temporary,
                class_map.classes,
                class_map.geobox,
                confidence=class_map.confidence,
                simplify=simplify,
            )
        except OSError as error:
            raise OutputError(
                f"Cannot write {path}: {error.strerror or error}; choose a folder with free space."
            ) from error
    return path


def _areas(class_map: FinishedMap) -> Path:
    path = class_map.path.with_suffix(".areas.csv")
    with atomic_path(path) as temporary:
        class_map.areas().to_csv(temporary, index=False, float_format="%.6f")
    return path


def _preview(class_map: FinishedMap) -> Path:
    from sscl_geo.report.quicklook import draw_quicklook

    path = class_map.path.with_suffix(".png")
    with atomic_path(path) as temporary:
        temporary.write_bytes(draw_quicklook(class_map))
    return path


def _stac(class_map: FinishedMap, scene: Scene | None, model: Path | None) -> list[Path]:
    folder = class_map.path.parent
    items: list[Path] = []
    if model is not None:
        item = folder / f"{model.stem}.mlm.json"
        items.append(write_model_item(load_bundle(model), model, item))
    items.append(
        write_item(
            class_map,
            scene=None if scene is None else scene.path,
            model_item=items[0] if items else None,
            observed=None if scene is None else scene.date,
        )
    )
    return [*items[::-1], write_catalog(folder)]
