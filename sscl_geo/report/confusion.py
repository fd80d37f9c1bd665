"""Picture of a confusion matrix."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sscl_geo.report.figure import Theme, new_figure

_MOST_NAMED: Final = 40


def draw_confusion(matrix: NDArray[np.integer], names: Sequence[str], theme: Theme) -> Figure:
    """Draw where the pixels of each class of the reference went, in percent of that class.

    Numbers and names are left out where there are too many classes to read them.

    Args:
        matrix: pixel counts of shape (classes, classes); rows are the reference, columns the map.
        names: names of the classes.
        theme: colours.
    """
    total = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, total, out=np.full(matrix.shape, np.nan), where=total > 0)
    side = 1.6 + 0.46 * min(len(names), _MOST_NAMED)
    figure = new_figure(side + 0.5, side)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    ramp = LinearSegmentedColormap.from_list("ramp", theme.ramp)
    axes.imshow(share, cmap=ramp, vmin=0, vmax=1)
    axes.set_xlabel("map", color=theme.muted, fontsize=8.5)
    axes.set_ylabel("reference", color=theme.muted, fontsize=8.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if len(names) > _MOST_NAMED:
        axes.set_xticks([])
        axes.set_yticks([])
        return figure
    for row, col in np.argwhere(share >= 0.005):
        red, green, blue, _ = ramp(share[row, col])
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
        axes.text(
            col,
            row,
            f"{100 * share[row, col]:.0f}",
            ha="center",
            va="center",
            fontsize=8.5,
            fontweight="bold" if row == col else "normal",
            color="#ffffff" if dark else "#1c2024",
        )
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, names)
    axes.tick_params(colors=theme.ink, labelsize=8.5, length=0, pad=5)
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=theme.page, linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    return figure
