"""Labels that have names alone, and the classes of maps."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from sscl_geo.classes import ClassTable
from sscl_geo.errors import LabelError, UnmatchedClassWarning
from sscl_geo.evaluation import evaluate
from sscl_geo.io.labels import open_labels
from sscl_geo.io.scene import open_scene

NAMED = ClassTable.from_values([1, 2], {1: "water", 2: "forest"})


@pytest.fixture
def label_row(tmp_path):
    """Write a point of each name on the pixels of a map of one row, from the left."""

    def write(path, names):
        affine = open_scene(path).geobox.affine
        points = [shapely.Point(affine * (c + 0.5, 0.5)) for c in range(len(names))]
        frame = gpd.GeoDataFrame({"class": names}, geometry=points, crs="EPSG:32612")
        frame.to_file(tmp_path / "points.gpkg")
        return tmp_path / "points.gpkg"

    return write


def row(*values):
    return np.array([values], np.uint8)


def names_of(result):
    return {c.value: c.name for c in result.classes}


def test_a_class_that_the_map_lacks_has_a_value_that_no_map_uses(make_map, label_row):
    path = make_map(row(0, 1, 2), NAMED)
    labels = label_row(path, ["urban", "Water", "forest"])
    with pytest.warns(UnmatchedClassWarning, match="lacks urban"):
        result = evaluate(path, labels)
    assert names_of(result) == {0: "class 0", 1: "water", 2: "forest", 3: "urban"}
    assert np.diag(result.confusion).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("named", [True, False])
def test_a_name_that_is_the_text_of_a_value_means_it(make_map, make_scene, label_row, named):
    values = row(1, 1, 2, 2)
    path = make_map(values, NAMED) if named else make_scene(values[None])
    names = ["1", "water", "2", "forest"] if named else ["class 1", "class 1", "2", "2"]
    labels = label_row(path, names)
    result = evaluate(path, labels)
    assert result.confusion.tolist() == [[2, 0], [0, 2]]


def test_names_that_are_numbers_of_something_else_are_no_values(make_map, label_row):
    zones = ClassTable.from_values([1, 2, 3], {1: "2", 2: "3", 3: "A"})
    path = make_map(row(1, 2, 3, 1), zones)
    with pytest.warns(UnmatchedClassWarning, match="lacks class 1,"):
        result = evaluate(path, label_row(path, ["2", "3", "A", "1"]))
    assert names_of(result) == {0: "class 1", 1: "2", 2: "3", 3: "A"}
    assert np.diag(result.confusion).tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("named", [True, False])
def test_names_of_which_the_map_has_none_are_refused(make_map, make_scene, label_row, named):
    values = row(1, 2)
    path = make_map(values, NAMED) if named else make_scene(values[None])
    there = "water, forest" if named else "class 1, class 2"
    message = rf"\(Wald, Wasser\) is one of .* \({there}\); .*--remap.*--classes"
    with pytest.raises(LabelError, match=message):
        evaluate(path, label_row(path, ["Wasser", "Wald"]))


def test_a_class_table_says_what_names_of_opened_labels_mean(make_scene, label_row):
    path = make_scene(row(1, 2)[None])
    labels = open_labels(label_row(path, ["water", "forest"]))
    assert evaluate(path, labels, classes=NAMED).overall_accuracy == 1


@pytest.mark.filterwarnings("ignore::sscl_geo.errors.UnmatchedClassWarning")
def test_opened_labels_with_a_class_outside_the_table_are_refused(make_map, label_row):
    path = make_map(row(1, 2), NAMED)
    labels = open_labels(label_row(path, ["water", "urban"]))
    with pytest.raises(LabelError, match=r"points\.gpkg holds the class value 0"):
        evaluate(path, labels, classes=NAMED)


@pytest.mark.filterwarnings("ignore::sscl_geo.errors.UnmatchedClassWarning")
def test_a_class_that_several_maps_lack_has_the_same_value_in_all(make_map, label_row):
    paths = [make_map(row(v, 1), NAMED, name=f"{v}.tif") for v in (0, 2)]
    result = evaluate(paths, label_row(paths[0], ["urban", "water"]))
    assert names_of(result) == {0: "class 0", 1: "water", 2: "forest", 3: "urban"}
    assert result.confusion[3].tolist() == [1, 0, 1, 0]
