"""The study's tables for the docs."""

from collections.abc import Iterable, Sequence

import pandas as pd

from experiments.few_labels.names import INITS, METHODS, MODES
from experiments.few_labels.summary import ROW, differences, groups, table

DRAWN = ("patch", "pixel", "all")
"""In the order of the columns."""


def main_table(figures: pd.DataFrame, figure: str = "miou") -> str:
    """The smallest share of labels, drawn as patches: a table a scene, a column a mode.

    A line a row of the study; mean ± deviation between label draws.

    Args:
        figures: all figures.
        figure: which figure.
    """
    found = table(_least(figures), figure)
    tables = []
    for (scene,), one in groups(found, ["scene"]):
        modes = _modes(one)
        heads = [f"{scene}: began as", "pretrained by", *(MODES[mode] for mode in modes)]
        lines = [
            [INITS[init], METHODS.get(method, method), *(_cell(part, mode) for mode in modes)]
            for (init, method), part in _rows(one)
        ]
        tables.append(_text(heads, lines))
    return "\n\n".join(tables)


def shares_table(figures: pd.DataFrame, mode: str = "probe", figure: str = "miou") -> str:
    """Means for all shares of labels, however drawn: a table a scene, a line a row of the study."""
    found = table(figures[figures["mode"] == mode], figure)
    # All labels are all labels, however they were drawn.
    found.loc[found["label_share"] == 1, "drawn"] = "all"
    tables = []
    for (scene,), one in groups(found, ["scene"]):
        cases = sorted(
            {(DRAWN.index(d), s) for d, s in zip(one["drawn"], one["label_share"], strict=True)}
        )
        shown = [f"{DRAWN[d]}, {s:.0%}" if s < 1 else "all labels" for d, s in cases]
        lines = []
        for (init, method), part in _rows(one):
            means = {
                (DRAWN.index(d), s): mean
                for d, s, mean in zip(part["drawn"], part["label_share"], part["mean"], strict=True)
            }
            cells = [f"{means[case]:.1f}" if case in means else "" for case in cases]
            lines.append([INITS[init], METHODS.get(method, method), *cells])
        tables.append(_text([f"{scene}: began as", "pretrained by", *shown], lines))
    return "\n\n".join(tables)


def differences_table(figures: pd.DataFrame, methods: Sequence[str], figure: str = "miou") -> str:
    """What methods gain over the other rows, with 95 % intervals: a table a scene."""
    least = _least(figures)
    found = pd.concat([differences(least, method, figure) for method in methods])
    tables = []
    for (scene,), one in groups(found, ["scene"]):
        modes = _modes(one)
        lines = []
        for (method, init, over), part in groups(one, ["method", "init", "over"]):
            columns = (part[name] for name in ("mode", "mean", "low", "high"))
            gains = {
                mode: f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"
                for mode, mean, low, high in zip(*columns, strict=True)
            }
            who = f"{METHODS.get(method, method)}, from {INITS[init]}"
            cells = [_unbroken(gains.get(mode, "")) for mode in modes]
            lines.append([who, METHODS.get(over, over), *cells])
        tables.append(_text([f"{scene}: of", "over", *(MODES[mode] for mode in modes)], lines))
    return "\n\n".join(tables)


def _text(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    every = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in every)


def _rows(found: pd.DataFrame) -> list[tuple[tuple[str, ...], pd.DataFrame]]:
    """Lines of a table, in the order of the names; methods of one's own last."""
    inits, methods = list(INITS), [*METHODS, *found["method"]]
    return sorted(
        groups(found, ROW), key=lambda row: (inits.index(row[0][0]), methods.index(row[0][1]))
    )


def _modes(found: pd.DataFrame) -> list[str]:
    return [mode for mode in MODES if (found["mode"] == mode).any()]


def _least(figures: pd.DataFrame) -> pd.DataFrame:
    least = figures["label_share"].min()
    return figures[(figures["label_share"] == least) & (figures["drawn"] == "patch")]


def _cell(part: pd.DataFrame, mode: str) -> str:
    one = part[part["mode"] == mode]
    if one.empty:
        return ""
    row = one.iloc[0]
    return _unbroken(f"{row['mean']:.1f} ± {row['label_std']:.1f} ({row['seeds']})")


def _unbroken(figure: str) -> str:
    """Columns are narrow: a figure shall not be broken."""
    return figure.replace(" ", "&nbsp;")
