"""Merging, renaming and dropping the classes of labels."""

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from sscl_geo.classes import IGNORE_INDEX, ClassTable
from sscl_geo.errors import LabelError, SkippedLabelWarning
from sscl_geo.io.labels import open_labels
from sscl_geo.io.remap import Remap, read_remap

VALUES = np.array([[11, 41, 42], [43, 90, 255]])


@pytest.fixture
def nlcd(make_scene):
    """Raster of codes, names of some of them beside it."""
    path = make_scene(VALUES[None].astype(np.uint8))
    names = ["", *[""] * 10, "water", *[""] * 29, "deciduous", "evergreen", "mixed"]
    path.with_name(f"{path.name}.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><CategoryNames>"
        + "".join(f"<Category>{name}</Category>" for name in names)
        + "</CategoryNames></PAMRasterBand></PAMDataset>"
    )
    return path


@pytest.fixture
def points(tmp_path):
    """Write a layer of points in a row, with the columns given."""

    def write(**columns):
        path = tmp_path / "points.gpkg"
        count = len(next(iter(columns.values())))
        geometry = [shapely.Point(300_030 + 30 * i, 4_100_010) for i in range(count)]
        gpd.GeoDataFrame(columns, geometry=geometry, crs="EPSG:32612").to_file(path)
        return path

    return write


def shown(labels, geobox=None):
    """Name of the class of each pixel, None where there is no label."""
    geobox = labels.scene.geobox if geobox is None else geobox
    names = np.array([*labels.classes.names] + [None] * 256, dtype=object)
    return np.where((i := labels.on_grid(geobox)) == IGNORE_INDEX, None, names[i % 255]).tolist()


def test_values_are_merged_renamed_and_dropped(nlcd):
    labels = open_labels(nlcd, remap={41: "forest", 42: "forest", 43: "forest", 90: None})
    assert labels.classes.names == ("water", "forest")
    assert labels.classes.values == (11, 41)
    assert shown(labels) == [["water", "forest", "forest"], ["forest", None, None]]


def test_sources_are_also_known_by_their_names(nlcd):
    labels = open_labels(nlcd, remap={"deciduous": "forest", "evergreen": "forest", "mixed": None})
    assert shown(labels) == [["water", "forest", "forest"], [None, "class 90", None]]


def test_a_class_that_is_there_keeps_its_value_when_others_join_it(nlcd):
    labels = open_labels(nlcd, remap={41: "evergreen", 43: "evergreen"})
    assert labels.classes.values == (11, 42, 90)
    assert shown(labels)[0] == ["water", "evergreen", "evergreen"]


def test_the_star_stands_for_all_that_is_not_named(nlcd):
    ignoring = open_labels(nlcd, remap={42: "forest", "*": "ignore"})
    assert shown(ignoring) == [[None, None, "forest"], [None, None, None]]
    others = open_labels(nlcd, remap={42: "forest", "*": "other"})
    assert shown(others) == [["other", "other", "forest"], ["other", "other", None]]
    assert others.is_named_only


def test_files_that_share_a_remap_number_their_classes_alike(make_scene):
    remap = {41: "forest", 42: "forest", 43: "forest"}
    one = make_scene(np.full((1, 2, 2), 43, np.uint8), name="one.tif")
    two = make_scene(np.full((1, 2, 2), 41, np.uint8), name="two.tif")
    assert open_labels(one, remap=remap).classes.values == (41,)
    assert open_labels(two, remap=remap).classes.values == (41,)


def test_a_table_and_a_remap_work_together(nlcd):
    table = ClassTable.from_values([1, 2], {1: "water", 2: "forest"})
    remap = {11: 1, 41: "forest", 42: 2, 43: "forest", "*": None}
    labels = open_labels(nlcd, table, remap=remap)
    assert labels.classes == table
    assert labels.on_grid(labels.scene.geobox).tolist() == [[0, 1, 1], [1, 255, 255]]


def test_a_source_without_a_rule_must_be_in_the_table(nlcd):
    table = ClassTable.from_values([1, 2], {1: "water", 2: "forest"})
    labels = open_labels(nlcd, table, remap={11: 1, 41: 2, 42: 2, 43: 2})
    with pytest.raises(LabelError, match=r"class value 90.*remap it"):
        labels.on_grid(labels.scene.geobox)


def test_a_rule_must_lead_to_a_class_of_the_table(nlcd):
    with pytest.raises(LabelError, match=r"'wood', which is not among 1 \(water\)"):
        open_labels(nlcd, ClassTable.from_values([1], {1: "water"}), remap={41: "wood"})


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_codes_beyond_a_byte_are_sources(make_scene, dtype):
    values = np.array([[[311, 312, 512], [65_535, 0, 311]]]).astype(dtype)
    path = make_scene(values, nodata=0)
    labels = open_labels(path, remap={311: "forest", 312: "forest", 512: "water", 65_535: None})
    assert labels.classes.names == ("forest", "water")
    assert labels.classes.values == (1, 2)
    assert shown(labels) == [["forest", "forest", "water"], [None, None, "forest"]]


def test_codes_beyond_a_byte_that_stay_are_refused(make_scene):
    path = make_scene(np.array([[[311, 312]]], np.uint16))
    with pytest.raises(LabelError, match=r"holds 312, which is no class value.*remap it"):
        open_labels(path, remap={311: 1})


def test_values_below_0_and_255_can_be_named(make_scene):
    path = make_scene(np.array([[[-9999, 255, 4]]], np.int16))
    labels = open_labels(path, remap={-9999: "ignore", 255: "snow"})
    assert shown(labels) == [[None, "snow", "class 4"]]


def test_colours_stay_with_the_classes(make_scene):
    path = make_scene(np.array([[[1, 2, 3]]], np.uint8))
    with rasterio.open(path, "r+") as raster:
        raster.write_colormap(1, {1: (10, 0, 0, 255), 2: (20, 0, 0, 255), 3: (30, 0, 0, 255)})
    labels = open_labels(path, remap={2: "wet", 3: 1})
    assert [(c.name, c.color[0]) for c in labels.classes] == [("class 1", 10), ("wet", 20)]


def test_texts_of_a_column_are_merged_and_dropped(points):
    labels = open_labels(
        points(label=["oak", "ash", "mud", "fog"]),
        remap={"oak": "trees", "ash": "trees", "fog": "ignore"},
    )
    assert labels.classes.names == ("mud", "trees")
    assert labels.classes.values == (1, 2)


def test_numbers_beyond_a_byte_in_a_column_are_sources(points, make_scene):
    labels = open_labels(points(code=["311", "312", "512"]), remap={311: 3, "312": 3, 512: None})
    grid = open_labels(make_scene(np.ones((1, 4, 4), np.uint8))).scene.geobox
    assert labels.on_grid(grid)[0, :4].tolist() == [0, 0, IGNORE_INDEX, IGNORE_INDEX]
    assert labels.classes.values == (3,)


def test_a_value_beside_a_name_is_a_source_too(points):
    path = points(label=["oak", "ash", "mud"], code=[311, 312, 400])
    labels = open_labels(path, remap={311: "trees", 312: "trees", 400: None})
    assert labels.classes.names == ("trees",)


@pytest.mark.parametrize("one", [1, "1"])
def test_rules_by_value_reach_numbers_among_names(points, one):
    path = points(label=["1", "2.0", "n/a"])
    labels = open_labels(path, remap={one: "oak", 2: "ash", "n/a": None})
    assert labels.classes.values == (1, 2)
    assert labels.classes.names == ("oak", "ash")


def test_a_rule_by_value_reaches_a_number_below_0_in_text(points):
    labels = open_labels(points(label=["-1", "2"]), remap={-1: "ignore"})
    assert labels.classes.values == (2,)


def test_a_remap_that_matches_nothing_is_told(points, nlcd):
    with pytest.warns(SkippedLabelWarning, match="none of the classes.*such as 7; it has oak, 1"):
        open_labels(points(label=["oak", "1"]), remap={7: "trees", 8: None})
    with pytest.warns(SkippedLabelWarning, match="none of the classes.*such as 12"):
        open_labels(nlcd, remap={12: "trees"})


def test_a_rule_leads_to_a_class_of_the_table_whatever_its_case(nlcd):
    table = ClassTable.from_values([1, 2], {1: "water", 2: "Forest"})
    labels = open_labels(nlcd, table, remap={11: "WATER", "*": "forest"})
    assert shown(labels) == [["water", "Forest", "Forest"], ["Forest", "Forest", None]]


def test_a_dropped_feature_hides_what_lies_under_it(tmp_path):
    path = tmp_path / "labels.gpkg"
    boxes = [shapely.box(0, 0, 100, 100), shapely.box(0, 0, 50, 100)]
    frame = gpd.GeoDataFrame({"class": ["field", "cloud"]}, geometry=boxes, crs="EPSG:32612")
    frame.to_file(path)
    labels = open_labels(path, remap={"cloud": "ignore"})
    grid = GeoBox((1, 4), Affine(25, 0, 0, 0, -100, 100), "EPSG:32612")
    assert labels.on_grid(grid).tolist() == [[255, 255, 0, 0]]


def test_a_misspelt_name_is_told(points):
    path = points(label=["oak", "ash"])
    with pytest.warns(SkippedLabelWarning, match=r"no class 'oka'.*ash, oak"):
        open_labels(path, remap={"oka": "trees", "ash": "trees"})
    with pytest.raises(LabelError, match=r"none of the classes.*ash, oak"):
        open_labels(path, remap={"oka": "trees"})


def test_nothing_left_is_refused(points):
    with pytest.raises(LabelError, match="no label left"):
        open_labels(points(label=["oak"]), remap={"*": None})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("remap.yaml", "41: forest\n'42': 2\nwater: ignore\n'*': null\n"),
        ("remap.json", '{"41": "forest", "42": 2, "water": null, "*": "Ignore"}'),
        ("remap.csv", "source,class\n41,forest\n42, 2\nwater,\n*,ignore\n"),
        ("excel.csv", "Source; Class\n41;forest\n42;2\n;\nwater;\n*;ignore\n;\n"),
    ],
)
def test_files_hold_what_a_mapping_holds(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    assert read_remap(path) == Remap({41: "forest", 42: 2, "water": None, "*": None})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "- 1\n", "is no remap"),
        ("a.yaml", "a: [1\n", "cannot be read as YAML"),
        ("a.yaml", "yes: forest\n", "source True.*quote"),
        ("a.yaml", "1: 70000\n", "class 70000"),
        ("a.yaml", "1: oak\n2: ash\n1: elm\n", "names '1' twice"),
        ("a.json", '{"oak": 1, "oak": 2}', "names 'oak' twice"),
        ("a.yaml", "1: oak\n\n010: ash\n", "Line 3 .* 010, which YAML takes for octal"),
        ("a.csv", "from,to\n1,2\n", "source,class"),
        ("a.csv", "source,class\n1,2\n1,3\n", "'1' twice"),
        (None, None, "There is no remap"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_remap_is_refused(tmp_path, name, text, message):
    path = tmp_path / (name or "missing.yaml")
    if text is not None:
        path.write_text(text)
    with pytest.raises(LabelError, match=message):
        read_remap(path)


def test_a_remap_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "remap.csv"
    path.write_bytes("source,class\nWälder,1\n".encode("cp1252"))
    with pytest.raises(LabelError, match="no text in UTF-8; save it"):
        read_remap(path)
