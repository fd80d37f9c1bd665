"""A picture of a finished map with its legend, for mails and slides."""

import warnings

import numpy as np
from matplotlib.patches import Patch
from rasterio.enums import Resampling

from sscl_geo.maps.products.finished import FinishedMap
from sscl_geo.report.figure import LIGHT, new_figure, to_png
from sscl_geo.report.north_up import north_up_grid, pixel_metres, read_on
from sscl_geo.report.preview import class_picture

_DPI = 150


def draw_quicklook(class_map: FinishedMap, max_side: int = 1200) -> bytes:
    """Draw a map, north up, above its legend.

    Args:
        class_map: the map.
        max_side: longest side of the map's picture in pixels.

    Returns:
        bytes of a PNG file.

    Raises:
        SceneError: if the map cannot be read.
    """
    grid = north_up_grid(class_map.geobox, max_side)
    values = read_on(class_map.path, grid, [1], Resampling.mode)[0]
    metres = pixel_metres(grid) or (grid.affine.a, -grid.affine.e)
    aspect = metres[1] / metres[0]
    height, width = grid.shape
    inches = max_side / _DPI / max(height * aspect, width)
    present = [c for c, pixels in zip(class_map.classes, class_map.pixels, strict=True) if pixels]
    columns = max(1, min(len(present), int(width * inches / 1.6)))
    rows = -(-len(present) // columns)
    figure = new_figure(max(width * inches, 1.6), height * aspect * inches + 0.25 * rows + 0.2)
    figure.patch.set(facecolor=LIGHT.page, alpha=1)
    axes = figure.add_subplot()
    axes.set_axis_off()
    picture = class_picture(np.ma.filled(values, class_map.nodata), class_map.classes)
    axes.imshow(picture, interpolation="nearest", aspect=aspect)
    legend = figure.legend(
        handles=[Patch(facecolor=c.hex_color, label=c.name or f"class {c.value}") for c in present],
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=8,
        labelcolor=LIGHT.ink,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a script that the font lacks shows as boxes
        return to_png(figure, _DPI)
