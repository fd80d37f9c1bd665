import numpy as np
import pandas as pd
import pytest

from sscl_geo.classes import ClassTable
from sscl_geo.evaluation import estimate_from_points, evaluate
from sscl_geo.report.evaluation import write_evaluation

CLASSES = ClassTable.from_values([1, 2], {1: "<i>water</i>", 2: "forest"})


@pytest.fixture
def pair(make_map, make_scene):
    truth = np.random.default_rng(0).integers(1, 3, (20, 20)).astype(np.uint8)
    mapped = np.where(np.arange(20) < 3, 1, truth)
    path = make_map(mapped, CLASSES, percent=np.full(truth.shape, 80))
    return path, make_scene(truth[None], name="truth.tif")


def test_files_lie_beside_the_figures(pair, tmp_path):
    result = evaluate(*pair)
    page = write_evaluation(result, tmp_path / "out" / "metrics.csv")
    assert {p.name for p in page.parent.iterdir()} == {
        "metrics.csv", "metrics.html", "metrics_confusion.csv", "metrics_confusion.png",
    }  # fmt: skip
    assert (page.parent / "metrics_confusion.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_shows_figures_and_calibration_and_escapes_names(pair, tmp_path):
    result = evaluate(*pair)
    text = write_evaluation(result, tmp_path / "metrics.csv").read_text()
    assert f"{100 * result.miou:.1f}" in text
    assert f"{100 * result.boundary.mean_f1:.1f}" in text
    assert "Calibration" in text
    assert "&lt;i&gt;water" in text
    assert "<i>water" not in text


def test_a_map_without_confidence_has_no_calibration_on_its_page(make_map, tmp_path):
    path = make_map(np.array([[1, 2]], np.uint8), CLASSES)
    text = write_evaluation(evaluate(path, path), tmp_path / "metrics.csv").read_text()
    assert "alibration" not in text


def test_estimates_come_first_and_as_a_table(pair, tmp_path):
    result = evaluate(*pair)
    areas = estimate_from_points([[45, 10], [5, 90]], [300, 700], CLASSES)
    text = write_evaluation(result, tmp_path / "metrics.csv", areas).read_text()
    assert text.index("Accuracy and areas") < text.index("Overall</h2>")
    margin = areas.area.margin[0]
    assert f"340 ± {margin:.0f}" in text
    table = pd.read_csv(tmp_path / "metrics_areas.csv")
    assert table["area_ha"].tolist() == pytest.approx([340, 660])
    assert table["area_ha_margin"][0] == pytest.approx(margin)


def test_several_maps_have_a_table(pair, make_map, tmp_path):
    path, labels = pair
    other = make_map(np.full((20, 20), 2), CLASSES, name="other.tif", percent=np.full((20, 20), 9))
    result = evaluate([path, other], labels)
    text = write_evaluation(result, tmp_path / "metrics.csv").read_text()
    assert "other.tif" in text
    assert (tmp_path / "metrics_scenes.csv").exists()
