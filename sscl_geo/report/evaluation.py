"""The files of an evaluation: figures, matrix, pictures, and the page that shows them."""

from pathlib import Path

import sscl_geo
from sscl_geo.evaluation import AreaEstimates, Evaluation
from sscl_geo.io.atomic import atomic_path
from sscl_geo.report.confusion import draw_confusion
from sscl_geo.report.evaluation_tables import area_table, class_table, overall_table, scene_table
from sscl_geo.report.figure import LIGHT, Chart, to_png
from sscl_geo.report.html import write_page
from sscl_geo.report.page import Gallery, Image, Page, Section, Text
from sscl_geo.report.reliability import draw_reliability


def write_evaluation(result: Evaluation, path: Path, areas: AreaEstimates | None = None) -> Path:
    """Write figures, confusion matrix as table and picture, and a report as one HTML file.

    Args:
        result: the evaluation.
        path: CSV file for the figures; the others go beside it as ``NAME_confusion.csv``,
            ``NAME_confusion.png``, ``NAME_scenes.csv`` (several maps), ``NAME_areas.csv`` (with
            estimates) and ``NAME.html``.
        areas: estimates from sampled points.

    Returns:
        path of the report.

    Raises:
        OutputError: if a file cannot be written.
    """
    matrix = draw_confusion(result.confusion, result.classes.names, LIGHT)
    with atomic_path(path.with_name(f"{path.stem}_confusion.png")) as temporary:
        temporary.write_bytes(to_png(matrix))
    if areas is not None:
        areas.to_csv(path.with_name(f"{path.stem}_areas.csv"))
    result.to_csv(path)
    return write_page(_page(result, areas), path.with_suffix(".html"))


def _page(result: Evaluation, areas: AreaEstimates | None) -> Page:
    matrix = Chart.draw(lambda theme: draw_confusion(result.confusion, result.classes.names, theme))
    sections = [
        Section("Overall", [overall_table(result)]),
        Section("Classes", [class_table(result), _explained(result)]),
        Section(
            "Confusion",
            [
                Gallery(
                    [Image.of_chart(matrix, "Share of each class of the reference, in percent.")],
                    width=36,
                )
            ],
        ),
    ]
    if areas is not None:
        explained = Text(
            "Estimated for the whole map from points drawn at random inside each of its classes "
            "(Olofsson et al., 2014, doi:10.1016/j.rse.2014.02.015). The figures below are of the "
            "points alone, unweighted.",
            note=True,
        )
        sections.insert(0, Section("Accuracy and areas", [area_table(areas), explained]))
    calibration = result.calibration
    if calibration is not None:
        chart = Chart.draw(lambda theme: draw_reliability(calibration, theme))
        caption = "How often the map is right, against how sure it is; below the line, too sure."
        sections.append(
            Section("Calibration", [Gallery([Image.of_chart(chart, caption)], width=26)])
        )
    if result.scenes:
        sections.append(Section("Maps", [scene_table(result)]))
    return Page(
        title=f"Evaluation of {result.name}",
        lead=f"{result.pixels:,} labelled pixels, each counted once.",
        sections=sections,
        footer=[f"sscl-geo {sscl_geo.__version__}"],
    )


def _explained(result: Evaluation) -> Text:
    return Text(
        "Precision is the user's accuracy, recall the producer's. Boundary F1 takes a border as "
        f"found up to {result.boundary.tolerance:g} pixels away. Means are over the classes that "
        "the reference has.",
        note=True,
    )
