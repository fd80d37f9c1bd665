"""The study as a picture: mIoU against the share of labels."""

from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from experiments.few_labels.names import INITS, METHODS, MODES
from experiments.few_labels.summary import ROW, groups, table
from sscl_geo.io.atomic import atomic_path
from sscl_geo.report.figure import LIGHT, new_figure

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

_COLORS = (
    LIGHT.ink, "#1f77b4", "#e07b28", "#2e8b57", "#9467bd", "#b5442f", "#d16ba5", "#8a8a8a",
    "#b3a125", "#2ba3b5", "#5c4a9c", "#7a5230", "#6b9a00",
)  # fmt: skip


def _first(method: str) -> tuple[bool, str]:
    return method != "sscl", method


def plot(figures: pd.DataFrame, path: Path, drawn: str = "patch") -> None:
    """Draw a panel a scene and mode, a line a row, with the deviation between label draws.

    Args:
        figures: all figures.
        path: PNG file to write.
        drawn: how the labels were drawn.
    """
    found = table(figures[figures["drawn"] == drawn])
    scenes = list(dict.fromkeys(found["scene"]))
    shares = found.groupby("mode")["label_share"].nunique()
    # One share makes no line and stands in the table; it is drawn where there is nothing else.
    least = min(2, shares.max())
    modes = [m for m in MODES if shares.get(m, 0) >= least]
    figure = new_figure(4.2 * len(modes) + 1.6, 3.2 * len(scenes))
    figure.patch.set_facecolor(LIGHT.page)
    axes = figure.subplots(len(scenes), len(modes), squeeze=False)
    names: dict[str, Line2D] = {}
    # One colour a method, in all panels.
    colors = dict(zip(sorted(set(found["method"]), key=_first), cycle(_COLORS), strict=False))
    for i, scene in enumerate(scenes):
        for j, mode in enumerate(modes):
            ax = axes[i][j]
            ax.set_title(f"{scene}, {MODES[mode]}", fontsize=10)
            rows = found[(found["scene"] == scene) & (found["mode"] == mode)]
            for (init, method), line in groups(rows, ROW):
                style = {"imagenet": "-", "random": ":", "none": "--"}[init]
                (drawn_line,) = ax.plot(
                    100 * line["label_share"],
                    line["mean"],
                    style,
                    color=colors[method],
                    linewidth=2.4 if method == "sscl" else 1.2,
                    marker="o",
                    markersize=3,
                )
                start = "" if init == "none" else f", from {INITS[init]}"
                names.setdefault(f"{METHODS.get(method, method)}{start}", drawn_line)
            ax.set_xscale("log")
            percents = sorted(100 * share for share in figures["label_share"].unique())
            ax.set_xticks(percents, [f"{percent:g}" for percent in percents])
            ax.minorticks_off()
            ax.set_xlabel("labels, % of the training part")
            ax.set_ylabel("mIoU, %")
            ax.grid(visible=True, color=LIGHT.rule)
    figure.legend(
        list(names.values()), list(names), loc="outside right center", fontsize=8, frameon=False
    )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
