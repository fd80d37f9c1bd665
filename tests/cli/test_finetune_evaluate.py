import os
import subprocess
import sys

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from sscl_geo.bundle import load_bundle
from sscl_geo.cli.evaluate import evaluate
from sscl_geo.cli.finetune import finetune
from sscl_geo.cli.points import points
from sscl_geo.errors import ConfigError, LabelError


@pytest.fixture
def files(make_scene):
    rng = np.random.default_rng(0)
    truth = rng.integers(1, 3, (1, 64, 64)).astype(np.uint8)
    scene = make_scene(rng.normal(100, 9, (2, 64, 64)).astype(np.float32), name="scene.tif")
    return scene, make_scene(truth, name="labels.tif"), make_scene(truth, name="map.tif")


def test_finetune_writes_a_model_and_its_curves(files, tmp_path):
    scene, labels, _ = files
    out = tmp_path / "new" / "model.safetensors"
    options = {"patch_size": 32, "batch_size": 2, "steps": 2, "accelerator": "cpu"}
    assert finetune(scene, labels, out=out, license="CC-BY-4.0", **options) == out
    bundle = load_bundle(out)
    assert (bundle.kind, bundle.license) == ("segmenter", "CC-BY-4.0")
    assert len((tmp_path / "new" / "model.history.csv").read_text().splitlines()) == 3


def test_evaluate_prints_figures_and_writes_them(files, tmp_path, capsys):
    _, labels, path = files
    out = tmp_path / "metrics.csv"
    assert evaluate([path], labels, out=out) == out
    assert "OA 100.0 %, kappa 1.000, mIoU 100.0 %" in capsys.readouterr().out
    assert out.exists()
    assert (tmp_path / "metrics_confusion.csv").exists()


def test_evaluate_returns_nothing_when_it_writes_nothing(files):
    _, labels, path = files
    assert evaluate([path], labels) is None


def test_evaluate_takes_several_maps_and_writes_a_report(files, make_scene, tmp_path, capsys):
    _, labels, path = files
    other = make_scene(np.ones((1, 64, 64), np.uint8), name="other.tif")
    evaluate([path, other], labels, out=tmp_path / "metrics.csv")
    assert "other.tif" in capsys.readouterr().out
    assert "other.tif" in (tmp_path / "metrics.html").read_text()


def test_both_read_labels_through_the_options_given(files, make_scene, tmp_path, capsys):
    scene, labels, path = files
    with rasterio.open(labels) as source:
        coded = np.where(source.read() == 1, 300, 41).astype(np.uint16)
    labels = make_scene(coded, name="coded.tif", crs="EPSG:32633")
    (tmp_path / "remap.yaml").write_text("300: one\n41: two\n")
    (tmp_path / "classes.yaml").write_text("1: one\n2: two\n")
    options = {
        "classes": tmp_path / "classes.yaml",
        "remap": tmp_path / "remap.yaml",
        "label_crs": "EPSG:32612",
    }
    evaluate([path], labels, **options)
    assert "OA 100.0 %" in capsys.readouterr().out
    out = tmp_path / "model.safetensors"
    quick = {"patch_size": 32, "batch_size": 2, "steps": 2, "accelerator": "cpu"}
    finetune(scene, labels, out=out, **quick, **options)
    assert load_bundle(out).classes.names == ("one", "two")


def test_layers_and_overlaps_are_options_of_evaluate(files, tmp_path, capsys):
    _, _, path = files
    with rasterio.open(path) as source:
        truth, transform = source.read(1), source.transform
    for value in (1, 2):
        cells = np.argwhere(truth == value)[:20] + 0.5
        xy = [transform @ (col, row) for row, col in cells]
        gpd.GeoDataFrame(
            geometry=gpd.points_from_xy(*zip(*xy, strict=True)), crs="EPSG:32612"
        ).to_file(tmp_path / "labels.gpkg", layer=f"class_{value}")
    (tmp_path / "remap.csv").write_text("source,class\nclass_1,1\nclass_2,2\n")
    evaluate(
        [path], tmp_path / "labels.gpkg", layer=["class_1", "class_2"], column="layer",
        remap=tmp_path / "remap.csv", overlap="ignore",
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert "OA 100.0 %" in printed
    assert "40" in printed


def test_points_are_drawn_and_their_labels_give_areas(files, tmp_path, capsys):
    _, labels, path = files
    out = tmp_path / "points.gpkg"
    assert points(path, out=out, count=60, least=10) == out
    drawn = gpd.read_file(out)
    with rasterio.open(labels) as source:
        places = zip(drawn.geometry.x, drawn.geometry.y, strict=True)
        drawn["class"] = [int(v[0]) for v in source.sample(places)]
    labelled = tmp_path / "labelled.gpkg"
    drawn.to_file(labelled)
    evaluate([path], labelled, sampled=True, out=tmp_path / "metrics.csv")
    assert "Overall accuracy 100.0 ± 0.0 %" in capsys.readouterr().out
    assert (tmp_path / "metrics_areas.csv").exists()


def test_points_are_looked_for_in_their_layer(files, tmp_path, capsys):
    _, labels, path = files
    drawn = gpd.read_file(points(path, out=tmp_path / "points.gpkg", count=60, least=10))
    with rasterio.open(labels) as source:
        places = zip(drawn.geometry.x, drawn.geometry.y, strict=True)
        drawn["class"] = [int(v[0]) for v in source.sample(places)]
    file = tmp_path / "project.gpkg"
    drawn.set_geometry(drawn.buffer(10)).to_file(file, layer="fields")
    drawn.to_file(file, layer="points")
    evaluate([path], file, layer=["points"], sampled=True)
    assert "Overall accuracy 100.0 ± 0.0 %" in capsys.readouterr().out
    with pytest.raises(LabelError, match="holds no points"):
        evaluate([path], file, layer=["fields"], sampled=True)


def test_estimates_are_of_one_whole_map(files):
    _, labels, path = files
    with pytest.raises(ConfigError, match="one whole map"):
        evaluate([path, path], labels, sampled=True)


@pytest.mark.parametrize("missing", ["map", "labels", "blocks"])
def test_a_missing_file_ends_in_one_sentence(files, tmp_path, missing):
    _, labels, path = files
    gone = str(tmp_path / "gone.tif")
    words = [str(path), str(labels)]
    if missing == "blocks":
        words += ["--within", gone]
    else:
        words[["map", "labels"].index(missing)] = gone
    done = subprocess.run(
        [sys.executable, "-m", "sscl_geo", "evaluate", *words],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "There is no file" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
