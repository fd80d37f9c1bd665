"""A finished map as one web page that needs nothing else: no server, no network, no library.

The page is a single HTML file to open, to mail, or to put on any web server. It holds the map's
class values as a PNG, which a script of a few kilobytes colours; a content security policy
keeps it from loading or running anything that is not in it. Names are escaped.
"""

import base64
import hashlib
import json
import os
from html import escape
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from PIL import Image
from pyproj import CRS
from rasterio.enums import Resampling

from sscl_geo.io.atomic import atomic_path
from sscl_geo.io.scene import Scene
from sscl_geo.maps.products.finished import FinishedMap
from sscl_geo.report.north_up import north_up_grid, pixel_metres, read_on
from sscl_geo.report.preview import Stretch, best_bands

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_map_page(
    class_map: FinishedMap,
    path: str | os.PathLike[str],
    scene: Scene | None = None,
    max_side: int = 4096,
) -> Path:
    """Write a page that shows a map with its legend; the file appears whole or not at all.

    One can move and zoom, fade the map over the scene, hide classes, and read the class and the map
    coordinates under the pointer. The map keeps its own grid: nothing is warped but rotated maps,
    which are turned north up. Memory and the page grow with the size of the picture.

    Args:
        class_map: the map.
        path: the ``.html`` file to write.
        scene: what the map was made from, shown below it, in any coordinate reference system.
        max_side: longest side of the picture in pixels; larger maps are shown smaller, with the
            most frequent class of each block.

    Raises:
        OutputError: if the page cannot be written.
        SceneError: if the map or the scene cannot be read.
    """
    with atomic_path(path) as temporary:
        page = render_map_page(class_map, scene, max_side)
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def render_map_page(
    class_map: FinishedMap, scene: Scene | None = None, max_side: int = 4096
) -> str:
    """Return the page of :func:`write_map_page` as text."""
    grid = north_up_grid(class_map.geobox, max_side)
    home = files("sscl_geo.report")
    style = home.joinpath("map_page.css").read_text(encoding="utf-8")
    script = home.joinpath("map_page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"{_POLICY}; script-src 'sha256-{digest}'"
    # "<" would let a name end the element that it stands in.
    data = json.dumps(_data(class_map, grid, scene)).replace("<", "\\u003c")
    title = escape(class_map.path.stem)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<canvas tabindex="0" role="img" aria-label="Map of {title}"></canvas>
<div class="buttons">
<button value="+" aria-label="Zoom in">+</button>
<button value="-" aria-label="Zoom out">&minus;</button>
<button value="0" aria-label="Show the whole map">Fit</button>
</div>
<div class="scale"><span></span><i></i></div>
<div class="readout" role="status"></div>
</main>
<aside>
<h1>{title}</h1>
<p class="note">{escape(_note(class_map, grid))}</p>
<label class="opacity">Opacity of the map
<input id="opacity" type="range" min="0" max="100" value="{100 if scene is None else 70}"></label>
{_legend(class_map)}
{_provenance(class_map)}
</aside>
<script type="application/json" id="map">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def _data(class_map: FinishedMap, grid: GeoBox, scene: Scene | None) -> dict[str, Any]:
    values = read_on(class_map.path, grid, [1], Resampling.mode)[0]
    metres = pixel_metres(grid)
    step_x, step_y = grid.affine.a, -grid.affine.e
    across, along = metres or (step_x, step_y)
    return {
        "width": grid.shape[1],
        "height": grid.shape[0],
        "left": grid.affine.c,
        "top": grid.affine.f,
        "stepX": step_x,
        "stepY": step_y,
        "digits": max(0, min(9, int(np.ceil(-np.log10(min(step_x, step_y)))) + 1)),
        "aspect": along / across,
        "metres": across if metres else None,
        "classes": [
            {"value": c.value, "name": c.name, "color": list(c.color)} for c in class_map.classes
        ],
        "bytes": values.dtype.itemsize,
        "image": _uri(_values_image(np.ma.filled(values, class_map.nodata)), "PNG"),
        "scene": None if scene is None else _scene_uri(scene, grid),
    }


def _values_image(values: NDArray[np.unsignedinteger]) -> Image.Image:
    """Class values as an image that browsers keep: grey, or low and high bytes as red and green."""
    if values.dtype == np.uint8:
        return Image.fromarray(values)
    parts = values & 0xFF, values >> 8, np.zeros_like(values)
    return Image.fromarray(np.stack(parts, axis=-1).astype(np.uint8))


def _scene_uri(scene: Scene, grid: GeoBox) -> str:
    indexes = [scene.indexes[i] for i in best_bands(scene.bands)]
    pixels = read_on(scene.source, grid, indexes, Resampling.average)
    image = np.where(np.ma.getmaskarray(pixels), np.nan, pixels.data).astype(np.float32)
    valid = np.isfinite(image).all(axis=0)
    picture = Stretch.of(image, valid).picture(image, valid)
    return _uri(Image.fromarray(picture), "WEBP", quality=85)


def _uri(image: Image.Image, kind: str, **options: object) -> str:
    buffer = BytesIO()
    image.save(buffer, format=kind, **options)
    content = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{content}"


def _note(class_map: FinishedMap, grid: GeoBox) -> str:
    height, width = class_map.geobox.shape
    crs = CRS.from_user_input(class_map.geobox.crs)
    code = crs.to_epsg()
    name = crs.name if code is None else f"{crs.name} (EPSG:{code})"
    factor = max(1.0, width / grid.shape[1], height / grid.shape[0])
    rotated = class_map.geobox.affine.b or class_map.geobox.affine.d
    shown = "" if factor == 1 or rotated else f"; shown at 1:{factor:.3g} of its pixels"
    turned = ", turned north up" if rotated else ""
    return f"{width:,} x {height:,} pixels, {name}{turned}{shown}"


def _legend(class_map: FinishedMap) -> str:
    rows = []
    known = np.isfinite(class_map.hectares).all()
    for index, row in enumerate(class_map.areas().to_dict("records")):
        name = escape(row["name"] or f"class {row['value']}")
        area = f"<td>{row['area_ha']:,.1f}</td>" if known else ""
        rows.append(
            f'<tr><th scope="row"><label><input type="checkbox" checked data-index="{index}">'
            f'<i style="background: {row["color"]}"></i><span>{name}</span></label></th>'
            f"{area}<td>{row['percent']:.1f}</td></tr>"
        )
    head = '<th scope="col">Class</th>' + ('<th scope="col">ha</th>' if known else "")
    return (
        f'<table><thead><tr>{head}<th scope="col">%</th></tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody></table>"
    )


def _provenance(class_map: FinishedMap) -> str:
    told = {
        "Scene": class_map.tags.get("SSCL_GEO_SCENE"),
        "Model": class_map.tags.get("SSCL_GEO_BUNDLE"),
        "Made by": class_map.tags.get("TIFFTAG_SOFTWARE"),
    }
    rows = "".join(
        f"<dt>{topic}</dt><dd>{escape(text)}</dd>" for topic, text in told.items() if text
    )
    return f"<dl>{rows}</dl>" if rows else ""
