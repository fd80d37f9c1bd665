"""The tables of an evaluation, for the terminal and for its page."""

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table as TerminalTable

from sscl_geo.evaluation import AreaEstimates, Evaluation
from sscl_geo.report.page import Table

_OVERALL = {
    "overall_accuracy": "overall accuracy (OA), %",
    "kappa": "kappa",
    "miou": "mean IoU, %",
    "mf1": "mean F1, %",
    "boundary_f1": "boundary F1, %",
    "ece": "expected calibration error (ECE), %",
}
_PER_CLASS = {
    "reference_pixels": "reference",
    "map_pixels": "map",
    "iou": "IoU",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "boundary_f1": "boundary F1",
}


def overall_table(result: Evaluation) -> Table:
    """Figures over all classes; one that is not known is left out."""
    figures = result.overall()
    rows = [
        (title, _text(name, figures[name]))
        for name, title in _OVERALL.items()
        if np.isfinite(figures[name])
    ]
    pixels = [
        ("pixels compared", f"{result.pixels:,}"),
        ("labelled pixels without a map", f"{int(result.unmapped.sum()):,}"),
    ]
    return Table(("", ""), [*rows, *pixels], rules=frozenset({len(rows)}))


def class_table(result: Evaluation) -> Table:
    """A row a class; pixels on both sides, figures in percent; columns without any left out."""
    table = result.per_class()
    shown = [name for name in _PER_CLASS if table[name].notna().any()]
    rows = [
        (row["name"], *(_text(name, row[name]) for name in shown))
        for row in table.to_dict("records")
    ]
    return Table(
        ("class", *(_PER_CLASS[name] for name in shown)),
        rows,
        colors=[c.hex_color for c in result.classes],
        caption="Pixels, and figures in percent.",
    )


def scene_table(result: Evaluation) -> Table:
    """A row a map."""
    shown = [name for name in _OVERALL if np.isfinite(result.overall()[name])]
    rows = [
        (row["scene"], f"{row['pixels']:,}", *(_text(name, row[name]) for name in shown))
        for row in result.per_scene().to_dict("records")
    ]
    return Table(("map", "pixels", *(_OVERALL[name] for name in shown)), rows)


def area_table(areas: AreaEstimates) -> Table:
    """A row a class: accuracy in percent and areas, with 95 % confidence intervals."""
    table = areas.per_class()
    unit = areas.unit
    rows = [
        (
            row["name"],
            f"{row['points_mapped']:,}",
            _between(100 * row["users_accuracy"], 100 * row["users_accuracy_margin"], 1),
            _between(100 * row["producers_accuracy"], 100 * row["producers_accuracy_margin"], 1),
            f"{row[f'mapped_area_{unit}']:,.0f}",
            _between(row[f"area_{unit}"], row[f"area_{unit}_margin"], 0),
        )
        for row in table.to_dict("records")
    ]
    header = ("class", "points", "user's, %", "producer's, %", f"mapped, {unit}", f"area, {unit}")
    accuracy = areas.overall_accuracy
    overall = _between(100 * float(accuracy.value), 100 * float(accuracy.margin), 1)
    return Table(
        header,
        rows,
        colors=[c.hex_color for c in areas.classes],
        caption=f"Overall accuracy {overall} %; intervals hold with 95 % confidence.",
    )


def print_table(table: Table, console: Console) -> None:
    """Show a table of a page in the terminal."""
    # Without the lines between columns, so that eight of them fit into 80 characters.
    shown = TerminalTable(
        title=escape(table.caption) or None, box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for i, title in enumerate(table.header):
        shown.add_column(
            escape(title), justify="left" if i < table.text_columns else "right", overflow="fold"
        )
    for row in table.rows:
        shown.add_row(*map(escape, row))
    console.print(shown)


def print_evaluation(result: Evaluation, console: Console) -> None:
    """Show an evaluation in the terminal: figures of the classes and maps, and a last line."""
    print_table(class_table(result), console)
    if result.scenes:
        print_table(scene_table(result), console)
    figures = result.overall()
    optional = [
        f"{title} {100 * figures[name]:.1f} %, "
        for name, title in (("boundary_f1", "boundary F1"), ("ece", "ECE"))
        if np.isfinite(figures[name])
    ]
    console.print(
        f"OA {100 * result.overall_accuracy:.1f} %, kappa {result.kappa:.3f}, "
        f"mIoU {100 * result.miou:.1f} %, mF1 {100 * result.mf1:.1f} %, {''.join(optional)}"
        f"over {result.pixels:,} pixels; {int(result.unmapped.sum()):,} labelled pixels unmapped"
    )


def _text(name: str, value: float) -> str:
    if not np.isfinite(value):
        return "–"  # noqa: RUF001 - a dash for "not defined"
    if name.endswith("pixels"):
        return f"{value:,}"
    return f"{value:.3f}" if name == "kappa" else f"{100 * value:.1f}"


def _between(value: float, margin: float, digits: int) -> str:
    if not np.isfinite(value):
        return "–"  # noqa: RUF001 - a dash for "not defined"
    return f"{value:,.{digits}f} ± {margin:,.{digits}f}"
