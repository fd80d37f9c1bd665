import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from sscl_geo.classes import ClassTable
from sscl_geo.errors import (
    ConfigError,
    FewPointsWarning,
    LabelError,
    UnequalPixelsWarning,
    UnmatchedClassWarning,
)
from sscl_geo.evaluation import (
    allocate_points,
    draw_reference_points,
    estimate_areas,
    evaluate,
    reference_points,
    write_reference_points,
)
from sscl_geo.io.scene import open_scene

CLASSES = ClassTable.from_values([1, 2, 5], {1: "water", 2: "forest", 5: "field"})


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    return rng.choice([1, 2, 5, 255], (60, 47), p=[0.1, 0.2, 0.6, 0.1]).astype(np.uint8)


def pixels_of(points, path):
    """(row, col) of the pixel that holds each point."""
    inverse = ~open_scene(path).geobox.affine
    cols, rows = inverse @ (points.geometry.x.to_numpy(), points.geometry.y.to_numpy())
    return np.floor(rows).astype(int), np.floor(cols).astype(int)


@pytest.mark.parametrize("grid", ["utm", "south_up", "rotated", "geographic"])
def test_points_lie_in_the_class_they_were_drawn_for(make_map, values, grid):
    path = make_map(values, CLASSES, grid=grid)
    points = draw_reference_points(path, count=120, least=20)
    rows, cols = pixels_of(points, path)
    drawn = np.bincount(values[rows, cols], minlength=256)
    pixels = np.bincount(values.ravel(), minlength=256)[[1, 2, 5]]
    assert drawn[[1, 2, 5]].tolist() == allocate_points(pixels, 120, 20).tolist()
    assert drawn.sum() == 120
    assert len(set(zip(rows.tolist(), cols.tolist(), strict=True))) == 120


def test_the_bands_of_rows_change_nothing(make_map, values, monkeypatch):
    path = make_map(values, CLASSES)
    whole = draw_reference_points(path, 90, 20, seed=3)
    monkeypatch.setattr(reference_points, "_BAND", 7)
    again = draw_reference_points(path, 90, 20, seed=3)
    assert {p.wkt for p in whole.geometry} == {p.wkt for p in again.geometry}


def test_every_pixel_of_a_class_is_as_likely(make_map):
    values = np.array([[1, 2, 1, 2, 1], [2, 1, 2, 1, 2]], np.uint8)
    path = make_map(values, ClassTable.from_values([1, 2]))
    hits = np.zeros(values.shape)
    for seed in range(100):
        rows, cols = pixels_of(draw_reference_points(path, 4, 2, seed), path)
        hits[rows, cols] += 1
    # Each of 5 pixels is drawn with 2 of 5: 40 times, give or take 5.
    assert abs(hits - 40).max() < 20


def test_points_do_not_tell_what_the_map_shows(make_map, values):
    path = make_map(values, CLASSES)
    points = draw_reference_points(path, 120, 20)
    assert points["class"].isna().all()
    assert set(points.columns) == {"point", "class", "geometry"}
    shown = values[pixels_of(points, path)]
    assert np.count_nonzero(np.diff(shown.astype(int))) > 40  # not class after class


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=8),
    st.integers(2, 60),
    st.integers(0, 500),
)
@settings(max_examples=100, deadline=None)
def test_each_class_gets_its_least_and_the_rest_in_proportion(pixels, least, more):
    pixels = np.array(pixels)
    count = least * len(pixels) + more
    given_points = allocate_points(pixels, count, least)
    assert (given_points >= np.minimum(least, pixels)).all()
    assert (given_points <= pixels).all()
    assert given_points.sum() == min(count, pixels.sum())
    above = (given_points > least + 1) & (given_points < pixels)
    rate = given_points[above] / pixels[above]
    if above.sum() > 1:  # as many points for a pixel, up to rounding
        assert np.ptp(rate) <= (2 / pixels[above]).max()


@pytest.fixture
def stray():
    """Two classes, and a single pixel of a third."""
    values = np.repeat(np.array([[1], [2]], np.uint8), 30, axis=0).repeat(40, axis=1)
    values[7, 7] = 5
    return values


def test_points_that_a_small_class_cannot_take_go_to_the_others(make_map, stray):
    path = make_map(stray, CLASSES)
    with pytest.warns(FewPointsWarning, match="a single pixel of field"):
        assert len(draw_reference_points(path, 200, 50)) == 200


@pytest.mark.filterwarnings("ignore::sscl_geo.errors.FewPointsWarning")
def test_a_class_of_one_pixel_can_be_estimated(make_map, stray, tmp_path):
    path = make_map(stray, CLASSES)
    points = write_reference_points(draw_reference_points(path, 200, 50), tmp_path / "p.gpkg")
    label(points, stray, path).to_file(tmp_path / "labelled.gpkg")
    result = estimate_areas(evaluate(path, tmp_path / "labelled.gpkg"), path, points)
    assert result.area.value == pytest.approx([0.09 * n for n in (1199, 1200, 1)], rel=1e-3)
    assert result.overall_accuracy.margin == 0


def test_names_and_values_may_be_mixed(make_map, values, tmp_path):
    path = make_map(values, CLASSES)
    points = write_reference_points(draw_reference_points(path, 120, 20), tmp_path / "p.gpkg")
    labelled = label(points, values, path)
    as_values = {c.name: str(c.value) for c in CLASSES}
    labelled["class"] = labelled["class"].where(
        labelled.index % 2 == 0, labelled["class"].map(as_values)
    )
    labelled.to_file(tmp_path / "labelled.gpkg")
    result = estimate_areas(evaluate(path, tmp_path / "labelled.gpkg"), path, points)
    assert result.classes.names == CLASSES.names
    assert result.overall_accuracy.value == 1


def test_a_class_that_the_map_lacks_has_an_area_of_its_own(make_map, values, tmp_path):
    path = make_map(np.where(values == 5, 0, values), ClassTable(CLASSES.classes[:2]))
    points = write_reference_points(draw_reference_points(path, 900, 200), tmp_path / "p.gpkg")
    label(points, values, path).to_file(tmp_path / "labelled.gpkg")
    with pytest.warns(UnmatchedClassWarning, match="lacks field"):
        evaluation = evaluate(path, tmp_path / "labelled.gpkg")
    result = estimate_areas(evaluation, path, points)
    area = dict(zip(result.classes.names, result.area.value, strict=True))
    assert area["field"] == pytest.approx(0.09 * np.count_nonzero(values == 5), rel=1e-3)
    assert area["class 0"] == 0


def test_pixels_that_differ_in_area_are_told_of(make_map, values, tmp_path):
    path = make_map(values, CLASSES, crs="EPSG:4326", transform=Affine(0.1, 0, 5, 0, -0.1, 60))
    with pytest.warns(UnequalPixelsWarning, match=r"by 1\d%"):
        points = draw_reference_points(path, 120, 20)
    write_reference_points(points, tmp_path / "p.gpkg")
    label(tmp_path / "p.gpkg", values, path).to_file(tmp_path / "labelled.gpkg")
    evaluation = evaluate(path, tmp_path / "labelled.gpkg")
    with pytest.warns(UnequalPixelsWarning):
        estimate_areas(evaluation, path, tmp_path / "p.gpkg")


@pytest.mark.parametrize(("count", "least"), [(10, 5), (100, 1)])
def test_points_that_do_not_reach_are_refused(count, least):
    with pytest.raises(ConfigError, match="cannot give"):
        allocate_points(np.array([5, 5, 5]), count, least)


def label(path, reference, map_path):
    """Fill in the points' classes as an interpreter would."""
    points = gpd.read_file(path)
    names = {c.value: c.name for c in CLASSES}
    rows, cols = pixels_of(points, map_path)
    points["class"] = [names[v] for v in reference[rows, cols].tolist()]
    return points


def test_labelled_points_give_the_areas_of_the_reference(make_map, values, tmp_path):
    rng = np.random.default_rng(1)
    path = make_map(values, CLASSES)
    wrong = rng.random(values.shape) < 0.2
    reference = np.where(wrong, rng.choice([1, 2, 5], values.shape), values)
    points = write_reference_points(draw_reference_points(path, 900, 200), tmp_path / "p.gpkg")
    labelled = tmp_path / "labelled.gpkg"
    label(points, reference, path).to_file(labelled)
    result = estimate_areas(evaluate(path, labelled), path, labelled)
    assert result.unit == "ha"
    truth = [0.09 * np.count_nonzero((reference == v) & (values != 255)) for v in (1, 2, 5)]
    assert (abs(result.area.value - truth) < result.area.margin).all()
    assert (result.area.margin < 40).all()
    assert result.points.sum() == len(gpd.read_file(labelled))


def test_points_of_another_map_are_refused(make_map, values, tmp_path):
    path = make_map(values, CLASSES)
    other = make_map(np.where(values == 1, 2, values), CLASSES, name="other.tif")
    points = write_reference_points(draw_reference_points(path, 90, 20), tmp_path / "p.gpkg")
    truth = make_map(values, CLASSES, name="truth.tif")
    with pytest.raises(LabelError, match="another map"):
        estimate_areas(evaluate(other, truth), other, points)


def test_labels_that_are_no_points_are_refused(make_map, values, tmp_path):
    path = make_map(values, CLASSES)
    areas = gpd.GeoDataFrame(
        {"class": ["water"]}, geometry=[open_scene(path).geobox.extent.geom], crs="EPSG:32612"
    )
    areas.to_file(tmp_path / "areas.gpkg")
    with pytest.raises(LabelError, match="no points"):
        estimate_areas(evaluate(path, path), path, tmp_path / "areas.gpkg")
