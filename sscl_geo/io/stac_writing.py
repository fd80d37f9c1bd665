"""STAC items and catalogues as plain JSON, with relative links: folders that can be moved."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from odc.geo.geobox import GeoBox

from sscl_geo.io.atomic import atomic_path

STAC_VERSION: Final = "1.1.0"

MEDIA_TYPES: Final = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".tiff": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".gpkg": "application/geopackage+sqlite3",
    ".fgb": "application/vnd.flatgeobuf",
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".onnx": "application/octet-stream; framework=onnx; profile=onnx",
    ".png": "image/png",
    ".pt2": "application/octet-stream; application=pytorch",
    ".qml": "application/xml",
    ".safetensors": "application/octet-stream; application=safetensors",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
}


def stac_item(
    identifier: str,
    *,
    moment: datetime,
    properties: Mapping[str, Any],
    assets: Mapping[str, Mapping[str, Any]],
    links: Sequence[Mapping[str, Any]] = (),
    extensions: Sequence[str] = (),
    geobox: GeoBox | None = None,
) -> dict[str, Any]:
    """Return a STAC item.

    Args:
        identifier: its id.
        moment: when what it describes was seen, or made.
        properties: further properties.
        assets: assets by key.
        links: links, beside those to the catalogue.
        extensions: addresses of the schemas of the extensions used.
        geobox: grid whose outline becomes the geometry in longitude and latitude; without one, or
            with one that is nowhere on the globe, the item has no geometry.
    """
    place = _place(geobox) if geobox is not None else {}
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    when = moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": list(extensions),
        "id": identifier,
        "geometry": None,
        **place,
        "properties": {"datetime": when, **properties},
        "links": [dict(link) for link in links],
        "assets": {key: dict(asset) for key, asset in assets.items()},
    }


def asset(path: Path, beside: Path, roles: Sequence[str], **fields: object) -> dict[str, Any]:
    """Return an asset for a file.

    Args:
        path: the file.
        beside: the item's file, to which the address is relative.
        roles: what the file is for.
        **fields: further fields.
    """
    kind = MEDIA_TYPES.get(path.suffix.lower())
    media = {} if kind is None else {"type": kind}
    return {"href": href(path, beside), **media, "roles": list(roles), **fields}


def href(target: str | os.PathLike[str], beside: Path) -> str:
    """Address of a file relative to an item's file; addresses of servers stay as they are."""
    text = os.fspath(target)
    if "://" in text or text.startswith("/vsi") or not Path(text).exists():
        return text
    relative = os.path.relpath(Path(text).resolve(), beside.resolve().parent)
    path = Path(relative).as_posix()
    return path if path.startswith("../") else f"./{path}"


def write_json(document: Mapping[str, Any], path: Path) -> Path:
    """Write JSON; the file appears whole or not at all.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_path(path) as temporary:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def _place(geobox: GeoBox) -> dict[str, Any]:
    if geobox.crs is None or not (geobox.crs.geographic or geobox.crs.projected):
        return {}
    outline = geobox.footprint("EPSG:4326", npoints=16)
    left, bottom, right, top = (round(side, 7) for side in outline.boundingbox.bbox)
    return {"geometry": outline.json, "bbox": [left, bottom, right, top]}
