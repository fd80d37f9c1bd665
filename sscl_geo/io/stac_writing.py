"""STAC items and catalogues as plain JSON, with relative links: folders that can be moved."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import antimeridian
import numpy as np
import shapely.geometry
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from sscl_geo.geometry.affine import matrix_from_affine, transform_points
from sscl_geo.geometry.grid import grid_shape, grid_wkt
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
            with one whose outline is nowhere on the globe, the item has no geometry.
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
    """Geometry and box in longitude and latitude, or nothing if the outline is not on the globe.

    As GeoJSON wants them (RFC 7946, 3.1.9 and 5.2): cut at the antimeridian, led around a pole that
    lies within, and the box's west above its east where it crosses the antimeridian.
    """
    if geobox.crs is None or not (geobox.crs.geographic or geobox.crs.projected):
        return {}
    outline = _outline(geobox)
    if outline is None:
        return {}
    left, bottom, right, top = outline.bounds
    if right - left >= 360:
        outline = shapely.box(-180, bottom, 180, top)
    with suppress(ValueError):  # no outline, where the grid holds more than the globe
        geometry = antimeridian.fix_shape(outline, fix_winding=False, great_circle=False)
        if shapely.geometry.shape(geometry).is_valid:
            box = antimeridian.bbox(geometry)
            return {"geometry": geometry, "bbox": [round(side, 7) for side in box]}
    return {}


def _outline(geobox: GeoBox) -> shapely.Polygon | None:
    """Outline in longitude and latitude, with the ground at its left as one walks along it.

    That tells which pole it is around; which way it turns in longitude and latitude does not. None
    if a part of it lies in space.
    """
    height, width = grid_shape(geobox)
    to_map = matrix_from_affine(geobox.affine)
    to_degrees = Transformer.from_crs(grid_wkt(geobox), "EPSG:4326", always_xy=True)

    def degrees(cols_rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(to_degrees.transform(*transform_points(to_map, cols_rows).T), axis=-1)

    ring = shapely.segmentize(shapely.box(0, 0, width, height), max(height, width) / 16)
    inside = 0.37 * width, 0.41 * height  # hardly a pole
    at, right, down = degrees(np.add(inside, [[0, 0], [1, 0], [0, 1]]))
    (east, north), (south_east, south) = ((to - at + 180) % 360 - 180 for to in (right, down))
    points = degrees(shapely.get_coordinates(ring))
    if not np.isfinite(points).all():
        return None
    is_mirrored = shapely.is_ccw(ring.exterior) != (east * south > north * south_east)
    return shapely.Polygon(points[::-1] if is_mirrored else points)
