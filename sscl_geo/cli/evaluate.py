"""``sscl-geo evaluate``: compare a map with reference labels."""

from pathlib import Path


def evaluate(
    map: Path,  # noqa: A002 - it is the argument's name on the command line
    labels: Path,
    *,
    within: Path | None = None,
    part: str = "test",
    classes: Path | None = None,
    column: str | None = None,
    out: Path | None = None,
) -> Path | None:
    """Compare a map with reference labels, each pixel once.

    Args:
        map: class raster, as 'segment' writes.
        labels: class raster, points, lines or polygons, in any CRS.
        within: file of blocks; only those of --part are looked at.
        part: name of the part of --within.
        classes: CSV file with the columns value, name, color; the classes of map and labels if not
            given.
        column: column of a vector file that holds the class; chosen if not given.
        out: CSV file to write the figures to; the confusion matrix goes beside it as
            NAME_confusion.csv.

    Returns:
        path of the figures, or None if they were only printed.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sscl_geo.classes import ClassTable
    from sscl_geo.evaluation import evaluate as run

    result = run(
        map,
        labels,
        classes=None if classes is None else ClassTable.from_csv(classes),
        column=column,
        within=within,
        part=part,
    )
    columns = ("value", "class", "reference", "map", "IoU", "precision", "recall", "F1")
    table = Table(*columns, title="pixels, and figures in percent")
    for row in result.per_class().to_dict("records"):
        figures = (f"{100 * row[name]:.1f}" for name in ("iou", "precision", "recall", "f1"))
        pixels = (f"{row[name]:,}" for name in ("reference_pixels", "map_pixels"))
        table.add_row(str(row["value"]), escape(row["name"]), *pixels, *figures)
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    console.print(
        f"OA {100 * result.overall_accuracy:.1f} %, kappa {result.kappa:.3f}, "
        f"mIoU {100 * result.miou:.1f} %, mF1 {100 * result.mf1:.1f} % "
        f"over {result.pixels:,} pixels; {int(result.unmapped.sum()):,} labelled pixels unmapped"
    )
    if out is not None:
        result.to_csv(out)
        console.print("figures", out, markup=False)
    return out
