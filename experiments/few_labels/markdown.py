"""The study's tables for the docs."""

from collections.abc import Sequence

import pandas as pd

from experiments.few_labels.names import INITS, METHODS, MODES
from experiments.few_labels.summary import ROW, differences, groups, table

DRAWN = ("patch", "pixel", "all")
"""In the order of the columns."""


def main_table(figures: pd.DataFrame, figure: str = "miou") -> str:
    """The smallest share of labels, drawn as patches: a column a scene and mode.

    A line a row of the study; mean ± deviation between label draws.

    Args:
        figures: all figures.
        figure: which figure.
    """
    found = table(_least(figures), figure)
    cases = [(s, m) for s in found["scene"].unique() for m in MODES if _has(found, s, m)]
    heads = [f"{scene}, {MODES[mode]}" for scene, mode in cases]
    lines = [
        f"| began as | pretrained by | {' | '.join(heads)} |",
        "|---|---|" + "---|" * len(heads),
    ]
    for (init, method), part in _rows(found):
        cells = [_cell(part, scene, mode) for scene, mode in cases]
        name = METHODS.get(method, method)
        lines.append(f"| {INITS[init]} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


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
        heads = [f"{DRAWN[d]}, {s:.0%}" if s < 1 else "all labels" for d, s in cases]
        lines = [
            f"| {scene}: began as | pretrained by | {' | '.join(heads)} |",
            "|---|---|" + "---|" * len(heads),
        ]
        for (init, method), part in _rows(one):
            means = {
                (DRAWN.index(d), s): mean
                for d, s, mean in zip(part["drawn"], part["label_share"], part["mean"], strict=True)
            }
            cells = [f"{means[case]:.1f}" if case in means else "" for case in cases]
            name = METHODS.get(method, method)
            lines.append(f"| {INITS[init]} | {name} | {' | '.join(cells)} |")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def differences_table(figures: pd.DataFrame, methods: Sequence[str], figure: str = "miou") -> str:
    """What methods gain over the other rows, with 95 % intervals."""
    least = _least(figures)
    found = pd.concat([differences(least, method, figure) for method in methods])
    cases = [(s, m) for s in found["scene"].unique() for m in MODES if _has(found, s, m)]
    heads = [f"{scene}, {MODES[mode]}" for scene, mode in cases]
    lines = [f"| of | over | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]
    for (method, init, over), part in groups(found, ["method", "init", "over"]):
        cells = []
        for scene, mode in cases:
            one = part[(part["scene"] == scene) & (part["mode"] == mode)]
            shown = [f"{d.mean:+.1f} [{d.low:+.1f}, {d.high:+.1f}]" for d in one.itertuples()]
            cells.append(shown[0] if shown else "")
        who = f"{METHODS.get(method, method)}, from {INITS[init]}"
        lines.append(f"| {who} | {METHODS.get(over, over)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _rows(found: pd.DataFrame) -> list[tuple[tuple[str, ...], pd.DataFrame]]:
    order = {name: i for i, name in enumerate(INITS)}
    return sorted(groups(found, ROW), key=lambda row: order[row[0][0]])


def _least(figures: pd.DataFrame) -> pd.DataFrame:
    least = figures["label_share"].min()
    return figures[(figures["label_share"] == least) & (figures["drawn"] == "patch")]


def _has(frame: pd.DataFrame, scene: str, mode: str) -> bool:
    return bool(((frame["scene"] == scene) & (frame["mode"] == mode)).any())


def _cell(part: pd.DataFrame, scene: str, mode: str) -> str:
    one = part[(part["scene"] == scene) & (part["mode"] == mode)]
    if one.empty:
        return ""
    row = one.iloc[0]
    # Columns are narrow: a figure shall not be broken.
    return f"{row['mean']:.1f} ± {row['label_std']:.1f} ({row['seeds']})".replace(" ", "&nbsp;")
