"""One picture of a scene, its reference and its maps side by side, for a README or a slide."""

import math
from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sscl_geo.classes import ClassTable
from sscl_geo.report.figure import LIGHT, new_figure
from sscl_geo.report.preview import Picture


def draw_overview(pictures: Mapping[str, Picture], classes: ClassTable, columns: int = 4) -> Figure:
    """Draw pictures on a white page, titles above, the legend of the classes below.

    Args:
        pictures: title -> picture; all of the same ground.
        classes: names and colours of the legend.
        columns: pictures beside each other.
    """
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    height, width = next(iter(pictures.values())).shape[:2]
    figure = new_figure(3 * columns, 3 * rows * height / width + 0.6, compress=True)
    figure.patch.set(alpha=1, facecolor=LIGHT.page)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, (title, picture) in zip(grid, pictures.items(), strict=False):
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(title, fontsize=9, color=LIGHT.ink, loc="left", pad=4)
    figure.legend(
        handles=[Patch(facecolor=item.hex_color, label=item.name) for item in classes],
        loc="outside lower center",
        ncols=min(len(classes), 2 * columns),
        frameon=False,
        fontsize=8.5,
        labelcolor=LIGHT.ink,
        handlelength=0.9,
        handleheight=0.9,
        columnspacing=1.4,
    )
    return figure
