from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import rasterio

from sscl_geo.bundle import load_bundle
from sscl_geo.demo.measures import as_text, compare, measures_table
from sscl_geo.demo.products import write_products
from sscl_geo.demo.run import run_demo
from sscl_geo.evaluation import evaluate
from sscl_geo.geometry.affine import transform_points
from sscl_geo.report.contact_sheet import overlap_outline

PRODUCTS = {
    "blocks.gpkg", "encoder.safetensors", "evaluation.csv",
    "evaluation_confusion.csv", "history.csv", "map.confidence.tif", "map.gpkg", "map.qml",
    "map.tif",
    "map.tif.aux.xml",
    "metrics.csv", "model.safetensors", "pairs.gpkg", "pictures", "random", "report.html",
    "stages.csv",
}  # fmt: skip


@pytest.fixture
def finished(made_sample, tiny, tmp_path):
    run = run_demo(made_sample, tmp_path / "out", tiny)
    write_products(run)
    return run


def test_a_run_leaves_all_products_and_nothing_else(finished):  # one run: it takes seconds
    out = finished.out
    assert {path.name for path in out.iterdir()} == PRODUCTS
    for name in ("map.tif", "random/map.tif"):
        with rasterio.open(out / name) as made, rasterio.open(finished.scene.path) as scene:
            assert made.shape == scene.shape
            assert made.transform == scene.transform
            assert made.crs == scene.crs
            assert np.array_equal(made.read(1) == 255, scene.read(1) == -1)
    _the_figures_are_those_of_an_evaluation(finished)
    _the_report_shows_the_figures(finished)
    _augmented_pairs_keep_their_ground(finished)
    assert load_bundle(out / "encoder.safetensors").kind == "encoder"
    assert load_bundle(out / "random" / "model.safetensors").kind == "segmenter"


def _the_figures_are_those_of_an_evaluation(run):
    again = evaluate(run.out / "map.tif", run.sample.reference, within=run.out / "blocks.gpkg")
    table = pd.read_csv(run.out / "metrics.csv").set_index("metric")
    assert table.loc["OA", "pretrained"] == pytest.approx(again.overall_accuracy)
    assert table.loc["OA", "pixels"] == again.pixels
    assert list(table.columns) == ["class", "pixels", "pretrained", "random"]
    stages = pd.read_csv(run.out / "stages.csv")
    assert {"pretrain", "finetune random", "segment pretrained", "report"} <= set(stages["stage"])
    history = pd.read_csv(run.out / "history.csv")
    assert history.groupby("stage").size().to_dict() == {
        "finetune pretrained": 2, "finetune random": 2, "pretrain": 2
    }  # fmt: skip


def _the_report_shows_the_figures(run):
    html = (run.out / "report.html").read_text(encoding="utf-8")
    frame = compare(run.outcomes)
    assert as_text("OA", frame["random"][0]) in html
    assert "forest &amp; &lt;wood&gt;" in html
    assert "CC &lt;BY&gt;" in html
    assert measures_table(run).row_count == len(frame) + 7  # a row a stage


def _augmented_pairs_keep_their_ground(run):
    from sscl_geo.demo.album import augmented

    seen = augmented(run.pairs.pairs, run.pretraining.bundle, seed=1)
    assert np.allclose(seen.shares, run.pairs.shares, atol=1e-6)
    for matrices in seen.pixel_to_map:
        outlines = overlap_outline(matrices, seen.shape)
        first, second = (transform_points(m, o) for m, o in zip(matrices, outlines, strict=True))
        assert np.abs(first - second).max() < 1e-6


def test_without_a_reference_the_held_back_labels_measure(made_sample, tiny, tmp_path):
    sample = replace(made_sample, reference=None)
    run = run_demo(sample, tmp_path / "out", replace(tiny, train_share=0.5))
    for outcome in run.outcomes:
        labelled = (run.labels != 255).sum()
        assert 0 < outcome.evaluation.pixels < labelled
    write_products(run)
    assert "labels held back" in (run.out / "report.html").read_text(encoding="utf-8")


def test_figures_that_are_not_defined_are_a_dash():
    assert as_text("IoU", float("nan")) == "–"  # noqa: RUF001 - an en dash stands for no value
    assert as_text("IoU", 0.123) == "12.3 %"
    assert as_text("kappa", 0.1234) == "0.123"
