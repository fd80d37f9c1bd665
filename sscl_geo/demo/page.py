"""The report of a run."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.crs import CRS

import sscl_geo
from sscl_geo.classes import nodata_of
from sscl_geo.demo.album import Album, make_album
from sscl_geo.demo.measures import as_text, compare
from sscl_geo.demo.run import RANDOM, DemoRun
from sscl_geo.progress import progress_bar
from sscl_geo.report.html import write_page
from sscl_geo.report.page import Gallery, Image, Legend, Link, Links, Page, Section, Table, Text
from sscl_geo.splits import part_mask

_FILES = {
    "map.tif": "map of the pretrained encoder: Cloud Optimized GeoTIFF with names and colours",
    "map.qml": "its QGIS style, loaded by itself",
    "map.tif.aux.xml": "its category names and attribute table, for GDAL and QGIS",
    "map.gpkg": "the map as polygons",
    "map.confidence.tif": "probability of the most probable class, in percent",
    f"{RANDOM}/map.tif": "map of the encoder from random initialisation",
    "encoder.safetensors": "pretrained encoder",
    "model.safetensors": "fine-tuned model, for sscl-geo segment",
    "pairs.gpkg": "footprints and overlaps of the pairs shown",
    "blocks.gpkg": "training and test blocks",
    "metrics.csv": "the figures above",
    "evaluation.csv": "more figures of the map",
    "evaluation_confusion.csv": "its confusion matrix, in pixels",
    f"{RANDOM}/evaluation.csv": "the same of the other map",
    f"{RANDOM}/evaluation_confusion.csv": "its confusion matrix",
    "history.csv": "each step of each training",
    "stages.csv": "seconds and memory of each stage",
    "config.yaml": "the options, to run it again with --config",
}


def write_report(run: DemoRun, path: Path) -> Path:
    """Draw the pictures of a run and write its report, one HTML file.

    Raises:
        OutputError: if a file cannot be written.
    """
    with progress_bar("report"):
        return write_page(_page(run, make_album(run)), path)


def _page(run: DemoRun, album: Album) -> Page:
    height, width = run.scene.shape
    train = part_mask(run.blocks, run.scene.geobox, "train")
    labelled = int(((run.labels != nodata_of(run.labels.dtype)) & train).sum())
    lead = (
        f"A land-cover map of {run.scene.name}, {width} × {height} pixels, "  # noqa: RUF001 - a multiplication sign
        f"learned from {labelled:,} labelled pixels, "
        f"{100 * labelled / train.size:.2f} % of the scene."
    )
    return Page(
        title="From a raw scene to a map",
        lead=lead,
        sections=[
            Section("What was measured", _measured(run)),
            Section("Maps", [Legend(run.classes), Gallery(album.maps, width=20)]),
            Section("Confusion", [Gallery(album.confusion, width=20)]),
            Section("Training and test ground", _ground(run, album, train)),
            Section(
                "Pairs", [*_one_below_the_other(album.pairs), Gallery([album.footprints], width=36)]
            ),
            Section("Training", _curves(album)),
            Section("Time and memory", [_stages(run)]),
            Section("Files", [Links(_links(run))]),
            Section("How it was made", [_options(run)]),
        ],
        footer=[line for line in (run.sample.licence, _versions()) if line],
    )


def _curves(album: Album) -> list[Gallery]:
    pretraining, finetuning = album.curves
    return [Gallery([pretraining], width=62), Gallery([finetuning], width=31)]


def _one_below_the_other(images: Sequence[Image]) -> list[Gallery]:
    return [Gallery([image], width=50) for image in images]


def _measured(run: DemoRun) -> list[Text | Table]:
    frame = compare(run.outcomes)
    names = [outcome.initialisation for outcome in run.outcomes]
    colors = {item.name: item.hex_color for item in run.classes}
    rows = [
        (
            row["class"] or row["metric"],
            f"{row['pixels']:,}",
            *(as_text(row["metric"], row[name]) for name in names),
        )
        for row in frame.to_dict("records")
    ]
    first_class = int((frame["class"] == "").sum())
    against = run.sample.reference or run.sample.labels
    table = Table(
        header=("", "pixels", *names),
        rows=rows,
        colors=[colors.get(name) for name in frame["class"]],
        rules=frozenset({first_class}),
    )
    return [
        Text(
            f"Both maps were compared with {against.name} inside the test blocks. They differ only "
            "in where fine-tuning started: from the encoder pretrained on this scene, with the "
            "functions of single pixels learned beside it, or from random weights. Overall "
            "accuracy (OA), kappa and mean IoU come first, then the IoU of each class."
        ),
        table,
        Text(
            "Pretraining saw the pixels of the whole scene and no label; fine-tuning saw neither "
            "pixels nor labels of the test blocks. This is one run with one seed: repeat it with "
            f"other seeds before drawing conclusions. {run.sample.note}".strip(),
            note=True,
        ),
    ]


def _ground(run: DemoRun, album: Album, train: np.ndarray) -> list[Gallery | Table]:
    table = run.sample.classes or run.classes
    labelled = run.labels != nodata_of(run.labels.dtype)
    counts = [
        np.bincount(run.labels[part & labelled], minlength=len(table)) for part in (train, ~train)
    ]
    labels = Table(
        header=("labelled pixels", "training", "held back"),
        rows=[(c.name, f"{a:,}", f"{b:,}") for c, a, b in zip(table, *counts, strict=True)],
        colors=[c.hex_color for c in table],
    )
    return [Gallery([album.split], width=36), labels]


def _stages(run: DemoRun) -> Table:
    rows = [
        (stage.name, f"{stage.seconds:.1f} s", f"{stage.peak_rss_mb:,.0f} MB")
        for stage in run.stages.log
    ]
    total = sum(stage.seconds for stage in run.stages.log)
    peak = max(stage.peak_rss_mb for stage in run.stages.log)
    return Table(
        header=("stage", "time", "peak memory"),
        rows=[*rows, ("all", f"{total:.1f} s", f"{peak:,.0f} MB")],
        rules=frozenset({len(rows)}),
        caption=f"{platform.system()}, {platform.machine()}; this report not counted.",
    )


def _links(run: DemoRun) -> Sequence[Link]:
    late = {"metrics.csv", "history.csv", "stages.csv", "config.yaml"}  # written after this page
    return [
        Link(path, note)
        for path, note in _FILES.items()
        if path in late or (run.out / path).exists()
    ]


def _options(run: DemoRun) -> Table:
    height, width = run.scene.shape
    unit = run.scene.crs.units[0]
    about = {
        "scene": f"{Path(run.scene.path).name}, {height} rows, {width} columns",
        "bands": ", ".join(run.scene.bands),
        "pixel": " x ".join(f"{side:g}" for side in run.scene.pixel_size) + f" {unit}",
        "reference system": _name_of(run.scene.crs),
        "labels": run.sample.labels.name,
        "reference": run.sample.reference.name if run.sample.reference else "labels held back",
        "method": run.pretraining.bundle.provenance.get("method", ""),
    }
    rows = [(name, str(value)) for name, value in about.items() if value]
    options = [(name.replace("_", " "), _plain(v)) for name, v in asdict(run.settings).items()]
    return Table(
        header=("", ""), rows=[*rows, *options], text_columns=2, rules=frozenset({len(rows)})
    )


def _name_of(crs: CRS) -> str:
    """EPSG code where GDAL finds one, also for systems that a file spells out without its code."""
    code = rasterio.CRS.from_wkt(crs.wkt).to_epsg()
    return crs.proj.name if code is None else f"EPSG:{code}"


def _plain(value: object) -> str:
    return " to ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _versions() -> str:
    packages = ("torch", "torchgeo", "lightning", "segmentation-models-pytorch", "rasterio")
    parts = [f"sscl-geo {sscl_geo.__version__}", f"Python {platform.python_version()}"]
    parts += [f"{name} {version(name)}" for name in packages]
    return ", ".join([*parts, f"GDAL {rasterio.__gdal_version__}"])
