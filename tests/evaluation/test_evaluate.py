import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import torch
from affine import Affine
from sklearn import metrics
from torchmetrics.functional.classification import (
    multiclass_cohen_kappa,
    multiclass_jaccard_index,
    multiclass_precision,
)

from sscl_geo.classes import ClassTable
from sscl_geo.errors import (
    ConfigError,
    LabelError,
    SceneError,
    SkippedSceneWarning,
    UnmatchedClassWarning,
)
from sscl_geo.evaluation import compare, evaluate
from sscl_geo.io.labels import open_labels
from sscl_geo.io.scene import open_scene
from sscl_geo.splits import part_mask, spatial_blocks


def random_pair(shape=(83, 97), seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.choice([1, 2, 5, 255], shape, p=[0.4, 0.2, 0.1, 0.3]).astype(np.uint8)
    noise = rng.choice([1, 2, 5, 9, 255], shape).astype(np.uint8)
    return truth, np.where(rng.random(shape) < 0.6, truth, noise)


@pytest.fixture
def pair(make_scene):
    truth, mapped = random_pair()
    return (
        make_scene(mapped[None], name="map.tif", nodata=255),
        make_scene(truth[None], name="truth.tif", nodata=255),
        truth,
        mapped,
    )


def compared(truth, mapped):
    both = (truth != 255) & (mapped != 255)
    return truth[both], mapped[both]


def test_figures_are_those_of_scikit_learn(pair):
    path, labels, truth, mapped = pair
    result = evaluate(path, labels)
    y, p = compared(truth, mapped)
    values = [1, 2, 5, 9]
    assert result.classes.values == tuple(values)  # noqa: PD011 - not pandas
    options = {"labels": values, "average": None, "zero_division": np.nan}
    assert np.array_equal(result.confusion, metrics.confusion_matrix(y, p, labels=values))
    assert result.overall_accuracy == pytest.approx(metrics.accuracy_score(y, p))
    assert result.kappa == pytest.approx(metrics.cohen_kappa_score(y, p))
    assert result.iou == pytest.approx(metrics.jaccard_score(y, p, labels=values, average=None))
    assert result.precision == pytest.approx(metrics.precision_score(y, p, **options))
    assert result.recall == pytest.approx(metrics.recall_score(y, p, **options), nan_ok=True)
    assert result.f1 == pytest.approx(metrics.f1_score(y, p, **options))


def test_figures_are_those_of_torchmetrics(pair):
    path, labels, truth, mapped = pair
    result = evaluate(path, labels)
    index = np.zeros(256, np.int64)
    index[[1, 2, 5, 9]] = range(4)
    y, p = (torch.from_numpy(index[v]) for v in compared(truth, mapped))
    iou = multiclass_jaccard_index(p, y, 4, average=None).numpy()
    assert result.iou == pytest.approx(iou, abs=1e-6)
    assert result.miou == pytest.approx(iou[:3].mean(), abs=1e-6)
    assert result.kappa == pytest.approx(float(multiclass_cohen_kappa(p, y, 4)), abs=1e-6)
    precision = multiclass_precision(p, y, 4, average=None).numpy()
    assert result.precision == pytest.approx(precision, abs=1e-6)


def test_reference_pixels_without_map_are_counted_apart(pair):
    path, labels, truth, mapped = pair
    result = evaluate(path, labels)
    assert result.unmapped.tolist() == [
        np.count_nonzero((truth == v) & (mapped == 255))
        for v in result.classes.values  # noqa: PD011 - not pandas
    ]
    assert result.pixels == np.count_nonzero((truth != 255) & (mapped != 255))


@pytest.mark.parametrize("tile", [1, 31, 83, 97])
def test_the_size_of_tiles_changes_nothing(make_scene, monkeypatch, tile):
    truth, mapped = random_pair((29, 33) if tile == 1 else (83, 97))
    path = make_scene(mapped[None], name="map.tif", nodata=255)
    labels = make_scene(truth[None], name="truth.tif", nodata=255)
    whole = evaluate(path, labels)
    monkeypatch.setattr(compare, "_TILE", tile)
    tiled = evaluate(path, labels)
    assert np.array_equal(tiled.confusion, whole.confusion)
    assert np.array_equal(tiled.unmapped, whole.unmapped)


def test_only_the_part_asked_for_counts(pair):
    path, labels, truth, mapped = pair
    geobox = open_scene(path).geobox
    blocks = spatial_blocks(geobox, 20, {"train": 0.5, "test": 0.5})
    inside = part_mask(blocks, geobox, "test")
    both = inside & (truth != 255) & (mapped != 255)
    values = [1, 2, 5, 9]
    expected = metrics.confusion_matrix(truth[both], mapped[both], labels=values)
    assert np.array_equal(evaluate(path, labels, within=blocks).confusion, expected)
    parts = sum(evaluate(path, labels, within=blocks, part=p).pixels for p in ("train", "test"))
    assert parts == evaluate(path, labels).pixels


def test_labels_on_another_grid_are_put_on_the_maps_grid(make_scene):
    mapped = np.repeat(np.repeat(np.array([[1, 2], [3, 4]], np.uint8), 30, 0), 30, 1)
    path = make_scene(mapped[None], name="map.tif", nodata=255)
    fine = np.repeat(np.repeat(mapped, 3, 0), 3, 1)
    transform = Affine(10, 0, 300_015, 0, -10, 4_100_025)
    result = evaluate(path, make_scene(fine[None], name="fine.tif", transform=transform))
    assert result.pixels == 3600
    assert result.overall_accuracy == 1
    assert result.kappa == 1


def test_names_without_numbers_are_matched_to_the_legend_of_the_map(make_scene, tmp_path):
    path = make_scene(np.array([[[1, 2], [2, 255]]], np.uint8), name="map.tif", nodata=255)
    (tmp_path / "map.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><CategoryNames><Category/><Category>water</Category>'
        "<Category>forest</Category></CategoryNames></PAMRasterBand></PAMDataset>"
    )
    geobox = open_scene(path).geobox
    points = [
        shapely.Point(geobox.affine * (c + 0.5, r + 0.5)) for r, c in ((0, 0), (0, 1), (1, 0))
    ]
    frame = gpd.GeoDataFrame(
        {"label": ["Water", "Forest", "alpine"]}, geometry=points, crs="EPSG:32612"
    )
    frame.to_file(tmp_path / "points.gpkg")
    with pytest.warns(UnmatchedClassWarning, match="lacks alpine"):
        result = evaluate(path, tmp_path / "points.gpkg")
    assert dict(zip(result.classes.values, result.classes.names, strict=True)) == {
        0: "alpine",
        1: "water",
        2: "forest",
    }
    assert np.diag(result.confusion).tolist() == [0, 1, 1]
    assert result.confusion[0].tolist() == [0, 0, 1]


def test_a_class_that_only_the_map_has_counts_as_wrong(make_scene):
    path = make_scene(np.array([[[1, 9]]], np.uint8), name="map.tif")
    labels = make_scene(np.array([[[1, 1]]], np.uint8), name="truth.tif")
    result = evaluate(path, labels)
    assert result.overall_accuracy == 0.5
    assert result.miou == 0.5
    assert np.isnan(result.recall[1])


def test_a_value_outside_a_given_table_is_refused(make_scene):
    path = make_scene(np.array([[[1, 9]]], np.uint8), name="map.tif")
    labels = make_scene(np.array([[[1, 1]]], np.uint8), name="truth.tif")
    with pytest.raises(LabelError, match="class value 9"):
        evaluate(path, labels, classes=ClassTable.from_values([1]))


def test_opened_labels_are_taken_as_they_are(pair):
    path, labels, *_ = pair
    assert evaluate(path, open_labels(labels)).pixels == evaluate(path, labels).pixels


def test_labels_that_miss_the_map_are_refused(make_scene):
    path = make_scene(np.array([[[1, 2]]], np.uint8), name="map.tif")
    labels = make_scene(np.array([[[1, 2]]], np.uint8), name="truth.tif", grid="web_mercator")
    with pytest.raises(LabelError, match="wholly outside"):
        evaluate(path, labels)


def test_a_map_without_data_under_the_labels_is_refused(make_scene):
    path = make_scene(np.array([[[1, 255]]], np.uint8), name="map.tif", nodata=255)
    labels = make_scene(np.array([[[255, 2]]], np.uint8), name="truth.tif", nodata=255)
    with pytest.raises(LabelError, match="no data on any labelled pixel"):
        evaluate(path, labels)


def test_a_map_of_probabilities_is_refused(make_scene):
    path = make_scene(np.array([[[0.25, 0.5]]], np.float32), name="map.tif")
    labels = make_scene(np.array([[[1, 2]]], np.uint8), name="truth.tif")
    with pytest.raises(SceneError, match=r"0\.25"):
        evaluate(path, labels)


def test_csv_files_hold_figures_and_matrix(pair, tmp_path):
    path, labels, *_ = pair
    result = evaluate(path, labels)
    result.to_csv(tmp_path / "metrics.csv")
    figures = pd.read_csv(tmp_path / "metrics.csv").set_index(["metric", "class_value"])["value"]
    assert figures["miou", np.nan] == pytest.approx(result.miou)
    assert figures["iou", 5.0] == pytest.approx(result.iou[2])
    matrix = pd.read_csv(tmp_path / "metrics_confusion.csv", index_col=0)
    assert np.array_equal(matrix.to_numpy(), result.confusion)


@pytest.mark.parametrize("tile", [1, 13, 29])
def test_the_size_of_tiles_changes_no_border(make_scene, monkeypatch, tile):
    truth, mapped = random_pair((29, 33))
    path = make_scene(mapped[None], name="map.tif", nodata=255)
    labels = make_scene(truth[None], name="truth.tif", nodata=255)
    whole = evaluate(path, labels, boundary_tolerance=1.5).boundary
    monkeypatch.setattr(compare, "_TILE", tile)
    tiled = evaluate(path, labels, boundary_tolerance=1.5).boundary
    assert whole.mapped_found[:3].all()
    assert np.array_equal(tiled.counts, whole.counts)


def test_the_confidence_beside_a_map_gives_its_calibration(make_map, make_scene):
    truth, mapped = random_pair()
    percent = np.random.default_rng(1).integers(0, 101, truth.shape)
    percent[0] = 255
    path = make_map(mapped, ClassTable.from_values([1, 2, 5, 9]), percent=percent)
    result = evaluate(path, make_scene(truth[None], name="truth.tif", nodata=255))
    both = (truth != 255) & (mapped != 255) & (percent != 255)
    right = both & (truth == mapped)
    assert np.array_equal(result.calibration.pixels, np.bincount(percent[both], minlength=101))
    assert np.array_equal(result.calibration.right, np.bincount(percent[right], minlength=101))
    assert result.overall()["ece"] == result.calibration.expected_error()


def test_a_map_without_confidence_has_no_calibration(pair):
    result = evaluate(*pair[:2])
    assert result.calibration is None
    assert np.isnan(result.overall()["ece"])


def test_confidence_of_another_grid_is_refused(pair, make_scene):
    make_scene(np.zeros((1, 5, 5), np.uint8), name="map.confidence.tif")
    with pytest.raises(SceneError, match="pixel grid"):
        evaluate(*pair[:2])


@pytest.fixture
def two_maps(make_scene, tmp_path):
    """Two maps with other classes, and a folder with labels for each."""
    (tmp_path / "labels").mkdir()
    pairs = [
        (np.array([[1, 1, 2, 255]]), np.array([[1, 2, 2, 2]])),
        (np.array([[5, 2], [5, 5]]), np.array([[5, 5], [5, 1]])),
    ]
    paths = []
    for name, (truth, mapped) in zip(("a.tif", "b.tif"), pairs, strict=True):
        make_scene(truth[None].astype(np.uint8), name=f"labels/{name}", nodata=255)
        paths.append(make_scene(mapped[None].astype(np.uint8), name=name, nodata=255))
    return paths, tmp_path / "labels", pairs


def test_several_maps_are_summed_up_pixel_by_pixel(two_maps):
    paths, folder, pairs = two_maps
    result = evaluate(paths, folder)
    both = [compared(*pair) for pair in pairs]
    y, p = (np.concatenate([pair[i] for pair in both]) for i in (0, 1))
    assert result.classes.values == (1, 2, 5)  # noqa: PD011 - not pandas
    assert np.array_equal(result.confusion, metrics.confusion_matrix(y, p))
    assert result.kappa == pytest.approx(metrics.cohen_kappa_score(y, p))
    assert np.array_equal(
        result.boundary.reference.sum(), sum(e.boundary.reference.sum() for e in result.scenes)
    )


def test_each_map_keeps_its_own_figures(two_maps, tmp_path):
    paths, folder, _ = two_maps
    result = evaluate(paths, folder)
    table = result.per_scene()
    assert table["scene"].tolist() == ["a.tif", "b.tif"]
    assert table["overall_accuracy"].tolist() == pytest.approx([2 / 3, 1 / 2])
    result.to_csv(tmp_path / "metrics.csv")
    written = pd.read_csv(tmp_path / "metrics_scenes.csv")
    assert written["miou"].tolist() == pytest.approx(table["miou"].tolist())


def test_maps_that_name_a_value_differently_are_refused(make_map, make_scene):
    values = np.array([[1, 2]], np.uint8)
    paths = [
        make_map(values, ClassTable.from_values([1, 2], {1: name}), name=f"{name}.tif")
        for name in ("water", "forest")
    ]
    with pytest.raises(LabelError, match="give a class table for all"):
        evaluate(paths, make_scene(values[None], name="truth.tif"))


def test_maps_without_labels_in_the_part_are_left_out(make_scene):
    values = np.array([[[1, 2], [2, 1]]], np.uint8)
    inside = make_scene(values, name="inside.tif")
    geobox = open_scene(inside).geobox
    beside = make_scene(
        values, name="beside.tif", transform=geobox.affine * Affine.translation(2, 0)
    )
    far = make_scene(values, name="far.tif", grid="web_mercator")
    labels = make_scene(np.tile(values, 2), name="truth.tif")
    blocks = gpd.GeoDataFrame({"part": ["test"]}, geometry=[geobox.extent.geom], crs="EPSG:32612")
    with pytest.warns(SkippedSceneWarning) as told:
        result = evaluate([far, inside, beside], labels, within=blocks)
    messages = [str(w.message) for w in told if w.category is SkippedSceneWarning]
    assert (result.name, result.pixels) == ("inside.tif", 4)
    assert ["far.tif" in message for message in messages] == [True, False]


def test_maps_none_of_which_has_labels_are_refused(make_scene):
    values = np.array([[[1, 2], [2, 1]]], np.uint8)
    paths = [make_scene(values, name=f"{n}.tif", grid="web_mercator") for n in (1, 2)]
    with pytest.raises(LabelError, match=r"wholly outside .*1\.tif"):
        evaluate(paths, make_scene(values, name="truth.tif"))


def test_no_map_is_refused(pair):
    with pytest.raises(ConfigError, match="at least one map"):
        evaluate([], pair[1])
