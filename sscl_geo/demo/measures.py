"""The figures of a run: one table, as CSV and on the terminal."""

from collections.abc import Sequence

import pandas as pd
from rich.markup import escape
from rich.table import Table

from sscl_geo.demo.run import DemoRun, Outcome
from sscl_geo.demo.stages import Stages

_OVERALL = {"OA": "overall_accuracy", "kappa": "kappa", "mIoU": "miou"}


def compare(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return a row for each figure, and a column for each initialisation.

    The columns before those are ``metric`` (OA, kappa, mIoU, IoU), ``class`` (its name; empty for
    figures over all classes) and ``pixels`` (of the reference that were compared).
    """
    table = outcomes[0].evaluation.per_class()
    rows = [(name, "", outcomes[0].evaluation.pixels) for name in _OVERALL]
    rows += [("IoU", *item) for item in zip(table["name"], table["reference_pixels"], strict=True)]
    frame = pd.DataFrame(rows, columns=["metric", "class", "pixels"])
    for outcome in outcomes:
        overall = outcome.evaluation.overall()
        frame[outcome.initialisation] = [
            *(overall[key] for key in _OVERALL.values()),
            *outcome.evaluation.iou.tolist(),
        ]
    return frame


def as_text(metric: str, value: float) -> str:
    """A figure as it is shown: percent, but for kappa; a dash where it is not defined."""
    if pd.isna(value):
        return "–"  # noqa: RUF001 - an en dash stands for no value
    return f"{value:.3f}" if metric == "kappa" else f"{100 * value:.1f} %"


def measures_table(run: DemoRun) -> Table:
    """Return the table that the command line prints: figures, then seconds of each stage."""
    names = [outcome.initialisation for outcome in run.outcomes]
    table = Table(title="Measured in the test blocks", title_justify="left")
    table.add_column("")
    for name in names:
        table.add_column(f"{name} encoder", justify="right")
    frame = compare(run.outcomes)
    for row in frame.to_dict("records"):
        title = f"IoU {escape(row['class'])}" if row["class"] else row["metric"]
        table.add_row(title, *(as_text(row["metric"], row[name]) for name in names))
    table.add_section()
    for title, *seconds in stage_rows(run.stages, names):
        table.add_row(title, *seconds)
    return table


def stage_rows(stages: Stages, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Seconds of each stage, one column an initialisation; shared stages stand in the first."""
    rows: dict[str, list[str]] = {}
    for stage in stages.log:
        verb, _, name = stage.name.partition(" ")
        column = names.index(name) if name in names else 0
        cells = rows.setdefault(verb if name in names else stage.name, [""] * len(names))
        cells[column] = f"{stage.seconds:.1f} s"
    return [(title, *cells) for title, cells in rows.items()]
