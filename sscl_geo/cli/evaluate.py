"""``sscl-geo evaluate``: compare maps with reference labels."""

from pathlib import Path
from typing import Literal


def evaluate(
    maps: list[Path],
    labels: Path,
    *,
    within: Path | None = None,
    part: str = "test",
    classes: Path | None = None,
    column: str | None = None,
    layer: list[str] | None = None,
    remap: Path | None = None,
    resampling: Literal["nearest", "majority"] = "nearest",
    overlap: Literal["last", "first", "smallest", "ignore"] = "last",
    label_crs: str | None = None,
    boundary_tolerance: float = 2,
    sampled: bool = False,
    out: Path | None = None,
) -> Path | None:
    """Compare a map, or several, with reference labels, each pixel once.

    Calibration is measured where NAME.confidence.tif lies beside NAME.tif. Of several maps those
    without a label in the part are left out.

    Args:
        maps: class rasters, as 'segment' writes.
        labels: class raster, points, lines or polygons, in any CRS; or a folder with a label raster
            of the same name for each map.
        within: file of blocks; only those of --part are looked at.
        part: name of the part of --within.
        classes: CSV or YAML file with value, name, color, or a QGIS style (QML); the classes of
            map and labels if not given.
        column: column of a vector file that holds the class; chosen if not given.
        layer: layer of a vector file that has several; more are read together, later ones on top.
        remap: YAML or CSV file of rules 'source value or name: class or ignore' for the labels.
        resampling: what a pixel gets from a class raster on another grid: the class under its
            centre, or the most frequent inside it.
        overlap: which of overlapping features has a pixel; 'ignore' leaves it without a label where
            their classes differ.
        label_crs: coordinate reference system of the labels, where the file names none or a wrong
            one.
        boundary_tolerance: how far a border of the map may lie from that of the labels, in pixels.
        sampled: the labels are reference points that 'points' drew from this map: estimate accuracy
            and areas of the whole map from them, with 95 % confidence intervals.
        out: CSV file to write the figures to. Beside it go the confusion matrix as
            NAME_confusion.csv and NAME_confusion.png, figures of each map as NAME_scenes.csv, the
            estimates as NAME_areas.csv, and a report as NAME.html.

    Returns:
        path of the figures, or None if they were only printed.
    """
    from rich.console import Console

    from sscl_geo.errors import ConfigError
    from sscl_geo.evaluation import estimate_areas
    from sscl_geo.evaluation import evaluate as run
    from sscl_geo.io.labels import LabelOptions
    from sscl_geo.report.evaluation import write_evaluation
    from sscl_geo.report.evaluation_tables import area_table, print_evaluation, print_table

    if sampled and (len(maps) > 1 or within is not None):
        raise ConfigError(
            "Estimates from sampled points are of one whole map; give one map, and no --within."
        )
    result = run(
        maps,
        labels,
        classes=classes,
        column=column,
        label_options=LabelOptions(layer, remap, resampling, overlap, label_crs),
        within=within,
        part=part,
        boundary_tolerance=boundary_tolerance,
    )
    console = Console(soft_wrap=True, highlight=False)
    print_evaluation(result, console)
    areas = estimate_areas(result, maps[0], labels, layer or ()) if sampled else None
    if areas is not None:
        print_table(area_table(areas), console)
    if out is not None:
        report = write_evaluation(result, out, areas)
        console.print("figures", out, markup=False)
        console.print("report", report, markup=False)
    return out
