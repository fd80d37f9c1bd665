"""STAC: an item for each map, and a static catalogue over all maps of a folder."""

import json
import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import CRS

import sscl_geo
from sscl_geo.errors import OutputError
from sscl_geo.io.stac_writing import STAC_VERSION, asset, href, stac_item, write_json
from sscl_geo.maps.areas import GroundArea
from sscl_geo.maps.products.finished import FinishedMap
from sscl_geo.mlm import classification_classes

ITEM_SUFFIX: Final = ".stac.json"
CATALOG: Final = "catalog.json"

_EXTENSIONS: Final = tuple(
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("projection/v2.0.0", "raster/v2.0.0", "classification/v2.0.0", "processing/v1.2.0")
)
_BESIDE: Final = {
    ".qml": ("style", "style"),
    ".gpkg": ("polygons", "data"),
    ".fgb": ("polygons-flatgeobuf", "data"),
    ".parquet": ("polygons-geoparquet", "data"),
    ".areas.csv": ("areas", "metadata"),
    ".png": ("preview", "overview"),
    ".html": ("page", "overview"),
    ".config.yaml": ("config", "metadata"),
}
"""Key and role of the files that may lie beside a map, by what follows the map's name."""


def write_item(
    class_map: FinishedMap,
    *,
    scene: str | os.PathLike[str] | None = None,
    model_item: Path | None = None,
    observed: datetime | None = None,
) -> Path:
    """Write the STAC item of a map as ``NAME.stac.json`` beside it.

    Extensions: projection, raster, classification (classes with names, colours, pixels and their
    share) and processing (level L4). Links say what the map is derived from. Assets are the map and
    the files that lie beside it under its name.

    Args:
        class_map: the map.
        scene: path or address of the scene.
        model_item: the STAC item of the model, see :func:`~sscl_geo.mlm.write_model_item`.
        observed: when the scene was taken; when the map was made if not known.

    Returns:
        path of the item.

    Raises:
        OutputError: if it cannot be written.
    """
    path = item_path(class_map.path)
    made = datetime.fromtimestamp(class_map.path.stat().st_mtime, UTC)
    links: list[dict[str, Any]] = [
        {"rel": rel, "href": f"./{CATALOG}", "type": "application/json"}
        for rel in ("root", "parent")
    ]
    if scene is not None:
        links.append({"rel": "derived_from", "href": href(scene, path), "title": "scene"})
    if model_item is not None:
        kind = {"type": "application/geo+json", "title": "model"}
        links.append({"rel": "derived_from", "href": href(model_item, path), **kind})
    item = stac_item(
        class_map.path.stem,
        moment=observed or made,
        properties={
            "title": f"Map of {class_map.tags.get('SSCL_GEO_SCENE', class_map.path.stem)}",
            "created": made.isoformat(timespec="seconds").replace("+00:00", "Z"),
            **_projection(class_map),
            **_processing(class_map),
        },
        assets={"map": _map_asset(class_map, path), **_other_assets(class_map, path)},
        links=links,
        extensions=_EXTENSIONS,
        geobox=class_map.geobox,
    )
    return write_json(item, path)


def item_path(class_map: Path) -> Path:
    """Where the item of a map stands."""
    return class_map.with_suffix(ITEM_SUFFIX)


def write_catalog(folder: Path) -> Path:
    """Write ``catalog.json`` over the items of a folder: those of maps and of models.

    It lists what is there now; written again after each map, or by several processes, it is right
    after the last of them.

    Raises:
        OutputError: if it cannot be written, or an item cannot be read.
    """
    children = sorted([*folder.glob(f"*{ITEM_SUFFIX}"), *folder.glob("*.mlm.json")])
    links = [{"rel": "root", "href": f"./{CATALOG}", "type": "application/json"}]
    for child in children:
        try:
            title = json.loads(child.read_text(encoding="utf-8"))["id"]
        except (ValueError, KeyError, TypeError) as error:
            raise OutputError(f"{child} is no STAC item; remove it or write it again.") from error
        kind = {"type": "application/geo+json", "title": title}
        links.append({"rel": "item", "href": f"./{child.name}", **kind})
    catalog = {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": folder.resolve().name or "maps",
        "description": "Maps written by sscl-geo.",
        "links": links,
    }
    return write_json(catalog, folder / CATALOG)


def _projection(class_map: FinishedMap) -> dict[str, Any]:
    crs = CRS.from_user_input(class_map.geobox.crs)
    code = crs.to_epsg()
    affine = class_map.geobox.affine
    height, width = class_map.geobox.shape
    corners = np.array([affine @ c for c in ((0, 0), (width, 0), (0, height), (width, height))])
    named = (
        {"proj:code": f"EPSG:{code}"} if code else {"proj:code": None, "proj:wkt2": crs.to_wkt()}
    )
    return {
        **named,
        "proj:shape": [height, width],
        "proj:transform": list(affine)[:9],
        "proj:bbox": [*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist()],
    }


def _processing(class_map: FinishedMap) -> dict[str, Any]:
    tags = class_map.tags
    told = {
        "model": tags.get("SSCL_GEO_BUNDLE"),
        "SHA-256 of the model": tags.get("SSCL_GEO_BUNDLE_SHA256"),
        "parameters": tags.get("SSCL_GEO_PARAMETERS"),
    }
    lineage = "; ".join(f"{topic}: {text}" for topic, text in told.items() if text)
    version = tags.get("SSCL_GEO_VERSION", sscl_geo.__version__)
    return {
        "processing:level": "L4",
        "processing:software": {"sscl-geo": version},
        **({"processing:lineage": lineage} if lineage else {}),
    }


def _map_asset(class_map: FinishedMap, beside: Path) -> dict[str, Any]:
    total = max(int(class_map.pixels.sum()), 1)
    classes = classification_classes(class_map.classes)
    for record, pixels in zip(classes, class_map.pixels.tolist(), strict=True):
        share = round(100 * pixels / total, 4)
        record |= {"title": record["description"], "count": pixels, "percentage": share}
    nodata = {"value": class_map.nodata, "name": "nodata", "description": "no data", "nodata": True}
    classes.append({**nodata, "title": "no data"})
    band = {
        "name": "class",
        "data_type": class_map.dtype,
        "nodata": class_map.nodata,
        "raster:sampling": "area",
        **_resolution(class_map.geobox),
        "classification:classes": classes,
    }
    return asset(class_map.path, beside, ["data"], title="Class map", bands=[band])


def _resolution(geobox: GeoBox) -> dict[str, float]:
    """Side of a pixel in metres: that of the grid, or of the ground where its unit is another."""
    units = {axis.unit_name for axis in CRS.from_user_input(geobox.crs).axis_info}
    height, width = geobox.shape
    hectares = GroundArea(geobox).pixel_hectares(np.array([height / 2]), np.array([width / 2]))
    if units == {"metre"}:
        metres = float(np.hypot(geobox.affine.a, geobox.affine.d))
    elif np.isfinite(hectares[0]):
        metres = round(math.sqrt(10_000 * float(hectares[0])), 3)
    else:
        return {}
    return {"raster:spatial_resolution": metres}


def _other_assets(class_map: FinishedMap, beside: Path) -> dict[str, dict[str, Any]]:
    path = class_map.path
    found = {}
    attributes = path.with_name(f"{path.name}.aux.xml")
    if attributes.is_file():
        found["attributes"] = asset(attributes, beside, ["metadata"])
    for ending, (key, role) in _BESIDE.items():
        other = path.with_name(path.stem + ending)
        if other.is_file():
            found[key] = asset(other, beside, [role])
    for layer in sorted(path.parent.glob(f"{_quoted(path.stem)}.*.tif")):
        key = layer.name.removeprefix(f"{path.stem}.").removesuffix(".tif")
        if "." not in key:
            found[key] = asset(layer, beside, ["data"])
    return found


def _quoted(stem: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in stem)
