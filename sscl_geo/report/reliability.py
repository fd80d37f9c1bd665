"""Picture of a map's calibration."""

from matplotlib.figure import Figure

from sscl_geo.evaluation import Calibration
from sscl_geo.report.figure import Theme, dress, new_figure


def draw_reliability(calibration: Calibration, theme: Theme) -> Figure:
    """Draw how often a map is right against how sure it is, with the share of pixels in each bin.

    On the diagonal confidence and accuracy agree; below it the map is too sure of itself.

    Args:
        calibration: compared pixels by confidence.
        theme: colours.
    """
    table = calibration.bins()
    filled = table[table["pixels"] > 0]
    figure = new_figure(3.8, 3.6)
    axes = figure.add_subplot()
    dress(axes, theme)
    middle = (table["lower"] + table["upper"]) / 2
    share = table["pixels"] / max(int(table["pixels"].sum()), 1)
    axes.bar(middle, share, width=0.094, color=theme.rule, label="share of the pixels")
    axes.plot((0, 1), (0, 1), color=theme.muted, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.plot(
        filled["confidence"],
        filled["accuracy"],
        color=theme.curves[1],
        linewidth=1.5,
        marker="o",
        markersize=4,
        label="accuracy",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.set_xlabel("confidence", fontsize=8, color=theme.muted)
    axes.legend(frameon=False, fontsize=8, labelcolor=theme.ink, loc="upper left")
    return figure
