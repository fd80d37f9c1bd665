"""Curves of a training."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from sscl_geo.report.figure import Theme, dress, new_figure


def draw_curves(
    history: pd.DataFrame,
    panels: Mapping[str, Sequence[str]],
    theme: Theme,
    in_a_row: int | None = None,
) -> Figure:
    """Draw columns of a history against its steps, one panel beside the other.

    Each curve is a running mean over the values, which show faintly behind it.

    Args:
        history: a row for each step, with the column ``step``.
        panels: title of a panel -> the columns in it; columns that are missing or empty are left
            out, and so are panels without any.
        theme: colours.
        in_a_row: largest number of panels beside each other; all of them if None.
    """
    shown = {
        title: [c for c in columns if c in history and history[c].notna().any()]
        for title, columns in panels.items()
    }
    shown = {title: columns for title, columns in shown.items() if columns}
    columns = min(in_a_row or len(shown), len(shown)) or 1
    rows = -(-len(shown) // columns) or 1
    figure = new_figure(4.2 * columns, 2.7 * rows)
    for i, (title, names) in enumerate(shown.items()):
        axes = figure.add_subplot(rows, columns, i + 1)
        dress(axes, theme)
        axes.set_title(title, loc="left", fontsize=9.5, color=theme.ink, pad=10)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        axes.set_xlabel("step", fontsize=8, color=theme.muted)
        _curves(axes, history, names, theme)
    return figure


def running_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Mean over the last ``window`` values, over all there are at the start; NaN is left out."""
    known = np.isfinite(values)
    total = np.cumsum(np.where(known, values, 0))
    count = np.cumsum(known).astype(np.float64)
    total[window:], count[window:] = (
        total[window:] - total[:-window],
        count[window:] - count[:-window],
    )
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def _curves(axes: Axes, history: pd.DataFrame, columns: Sequence[str], theme: Theme) -> None:
    step = history["step"].to_numpy(dtype=np.float64)
    window = max(1, len(step) // 40)
    for column, color in zip(columns, theme.curves, strict=False):
        values = history[column].to_numpy(dtype=np.float64)
        axes.plot(step, values, color=color, alpha=0.22, linewidth=0.7)
        axes.plot(
            step, running_mean(values, window), color=color, linewidth=1.5, label=_plain(column)
        )
    if len(columns) > 1:
        axes.legend(
            frameon=False, fontsize=8, labelcolor=theme.ink, handlelength=1.1, borderaxespad=0.2
        )


def _plain(column: str) -> str:
    return column.replace("_", " ")
