from zipfile import ZipFile

import geopandas as gpd
import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from sscl_geo.classes import IGNORE_INDEX, ClassTable
from sscl_geo.errors import ConfigError, LabelError, SimilarNamesWarning, SkippedLabelWarning
from sscl_geo.io.class_column import read_classes
from sscl_geo.io.labels import open_labels

GRID = GeoBox((40, 50), Affine(10, 0, 300_000, 0, -10, 4_100_000), "EPSG:32612")
ROTATED = GeoBox(
    (40, 50),
    Affine.translation(300_000, 4_100_000) * Affine.rotation(27) * Affine.scale(10, -12),
    "EPSG:32612",
)
SOUTH_UP = GeoBox((40, 50), Affine(10, 0, 300_000, 0, 10, 4_099_600), "EPSG:32612")


def box(left, top, right, bottom, geobox=GRID):
    """Polygon over pixels [top, bottom) x [left, right)."""
    ring = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return shapely.Polygon([geobox.affine * point for point in ring])


def pixel(row, col, geobox=GRID):
    return shapely.Point(geobox.affine * (col + 0.3, row + 0.7))


@pytest.fixture
def write(tmp_path):
    def write(geometry, name="labels.gpkg", crs="EPSG:32612", layer=None, **columns):
        path = tmp_path / name
        frame = gpd.GeoDataFrame(columns, geometry=geometry, crs=crs)
        if path.suffix == ".parquet":
            frame.to_parquet(path)
        else:
            frame.to_file(path, **({"layer": layer, "mode": "a"} if layer else {}))
        return path

    return write


@pytest.mark.parametrize("geobox", [GRID, ROTATED, SOUTH_UP])
def test_a_polygon_labels_the_pixels_it_covers(write, geobox):
    path = write([box(3, 5, 20, 30, geobox)], value=[4])
    expected = np.full(geobox.shape, IGNORE_INDEX)
    expected[5:30, 3:20] = 0
    assert np.array_equal(open_labels(path).on_grid(geobox), expected)


@pytest.mark.parametrize("geobox", [GRID, ROTATED, SOUTH_UP])
def test_a_point_labels_the_pixel_that_holds_it(write, geobox):
    path = write([pixel(7, 11, geobox), pixel(0, 49, geobox)], value=[4, 9])
    indices = open_labels(path).on_grid(geobox)
    assert (indices[7, 11], indices[0, 49]) == (0, 1)
    assert np.count_nonzero(indices != IGNORE_INDEX) == 2


def test_a_line_labels_the_pixels_along_it(write):
    line = shapely.LineString([GRID.affine * (0.5, 0.5), GRID.affine * (9.5, 9.5)])
    indices = open_labels(write([line], value=[4])).on_grid(GRID)
    assert np.array_equal(np.argwhere(indices == 0), np.stack([np.arange(10)] * 2, axis=1))


def test_the_later_polygon_lies_on_top_and_points_on_top_of_polygons(write):
    path = write([pixel(2, 2), box(0, 0, 10, 10), box(5, 0, 15, 10)], value=[1, 2, 3])
    indices = open_labels(path).on_grid(GRID)
    assert (indices[2, 2], indices[2, 4], indices[2, 6]) == (0, 1, 2)


def test_windows_agree_with_the_whole(write):
    rng = np.random.default_rng(0)
    xy = rng.uniform((300_000, 4_099_600), (300_500, 4_100_000), (60, 2))
    blobs = shapely.buffer(shapely.points(xy[:20]), rng.uniform(5, 60, 20))
    lines = shapely.linestrings(xy[20:40].reshape(10, 2, 2))
    path = write([*blobs, *lines, *shapely.points(xy[40:])], value=rng.integers(0, 5, 50))
    labels = open_labels(path)
    whole = labels.on_grid(GRID)
    for row, col in ((0, 0), (13, 7), (33, 41)):
        window = np.s_[row : row + 7, col : col + 9]
        assert np.array_equal(labels.on_grid(GRID[window]), whole[window])


def test_another_crs_is_reprojected(write):
    polygon = box(3, 5, 20, 30)
    elsewhere = gpd.GeoSeries([polygon], crs="EPSG:32612").to_crs("EPSG:4326")
    path = write(list(elsewhere), crs="EPSG:4326", value=[1])
    expected = rasterio.features.rasterize(
        [polygon], GRID.shape, fill=255, default_value=0, transform=GRID.affine
    )
    assert np.array_equal(open_labels(path).on_grid(GRID), expected)


def test_text_gives_names_and_an_id_that_goes_with_it_gives_values(write):
    path = write([pixel(0, 0), pixel(0, 1), pixel(0, 2)], label=["oak", "ash", "oak"], id=[5, 2, 5])
    labels = open_labels(path)
    assert labels.classes.values == (2, 5)
    assert labels.classes.names == ("ash", "oak")
    assert labels.on_grid(GRID)[0, :3].tolist() == [1, 0, 1]
    assert not labels.is_named_only


def test_text_alone_is_numbered_in_alphabetical_order(write):
    labels = open_labels(write([pixel(0, 0), pixel(0, 1)], label=["oak", "ash"]))
    assert labels.classes.values == (1, 2)
    assert labels.classes.names == ("ash", "oak")
    assert labels.is_named_only


def test_an_id_that_differs_within_a_class_is_not_taken_for_its_value(write):
    path = write([pixel(0, i) for i in range(3)], label=["oak", "ash", "oak"], id=[1, 2, 3])
    assert open_labels(path).is_named_only


def test_numbers_take_their_names_from_a_column_that_goes_with_them(write):
    path = write([pixel(0, 0), pixel(0, 1)], klass=[7, 3], label=["oak", "ash"])
    assert open_labels(path, column="klass").classes.names == ("ash", "oak")


def test_numbers_written_as_text_are_numbers(write):
    assert open_labels(write([pixel(0, 0), pixel(0, 1)], label=["10", "9"])).classes.values == (
        9,
        10,
    )


def test_text_with_a_fraction_of_zero_or_a_sign_is_a_number_too(write):
    path = write([pixel(0, 0), pixel(0, 1)], label=["1.0", "+9"])
    assert open_labels(path).classes.values == (1, 9)


def test_numbers_among_names_keep_their_values(write):
    labels = open_labels(write([pixel(0, i) for i in range(3)], label=["5", "n/a", "5.0"]))
    assert labels.classes.values == (1, 5)
    assert labels.classes.names == ("n/a", "class 5")
    assert labels.on_grid(GRID)[0, :3].tolist() == [1, 0, 1]


def test_numbers_among_names_are_matched_to_a_table_by_value(write):
    path = write([pixel(0, 0), pixel(0, 1)], label=["5", "oak"])
    table = ClassTable.from_values([5, 6], {5: "ash", 6: "oak"})
    assert open_labels(path, table).on_grid(GRID)[0, :2].tolist() == [0, 1]


@pytest.mark.parametrize("text", ["٣", "1e2", "1_0", "7" * 19])
def test_other_text_is_a_name(write, text):
    assert open_labels(write([pixel(0, 0)], label=[text])).classes.names == (text,)


def test_true_and_false_are_1_and_0_also_beside_nothing():
    mixed = np.array([True, None, False], object)
    points = [pixel(0, i) for i in range(3)]
    frame = gpd.GeoDataFrame({"class": mixed}, geometry=points, crs="EPSG:32612")
    assert read_classes(frame, "labels.parquet").classes.values == (0, 1)


def test_an_infinite_class_is_named(write):
    with pytest.raises(LabelError, match="holds inf, which is no class value"):
        open_labels(write([pixel(0, 0), pixel(0, 1)], value=[1.0, np.inf]))


MANY = [pixel(0, i) for i in range(9)]


def test_a_running_number_is_passed_over_for_the_next_column(write):
    path = write(MANY, id=list(range(9)), code=["a", "b", "c"] * 3)
    assert open_labels(path).classes.names == ("a", "b", "c")


def test_the_landuse_of_openstreetmap_is_found_beside_its_ids(write):
    ways = [f"way/{i}" for i in range(9)]
    path = write(MANY, id=ways, landuse=["farm", "forest", "grass"] * 3)
    assert open_labels(path).classes.names == ("farm", "forest", "grass")


@pytest.mark.parametrize("other", [{}, {"height": [3.5] * 9}])
def test_a_running_number_alone_is_refused_until_it_is_named(write, other):
    path = write(MANY, code=list(range(9)), **other)
    with pytest.raises(LabelError, match="'code' differs in each of its 9 features; name one of"):
        open_labels(path)
    assert len(open_labels(path, column="code").classes) == 9


def test_names_that_differ_in_case_only_are_told(write):
    path = write([pixel(0, 0), pixel(0, 1), pixel(0, 2)], label=["Oak ", "oak", "ash"])
    with pytest.warns(SimilarNamesWarning, match="classes Oak, oak, which differ in case only"):
        open_labels(path)


def test_a_table_knows_names_whatever_their_case(write):
    path = write([pixel(0, 0), pixel(0, 1)], label=["OAK", "ash"])
    table = ClassTable.from_values([1, 2], {1: "oak", 2: "Ash"})
    assert open_labels(path, table).on_grid(GRID)[0, :2].tolist() == [0, 1]


def test_case_counts_where_names_of_a_table_differ_in_nothing_else(write):
    table = ClassTable.from_values([1, 2], {1: "oak", 2: "Oak"})
    path = write([pixel(0, 0)], label=["Oak"])
    assert open_labels(path, table).on_grid(GRID)[0, 0] == 1
    with pytest.raises(LabelError, match="'OAK', which is not among oak, Oak"):
        open_labels(write([pixel(0, 0)], "other.gpkg", label=["OAK"]), table)


def test_an_empty_part_of_a_collection_takes_nothing_with_it(write):
    whole = shapely.GeometryCollection([box(0, 0, 4, 2), shapely.Polygon()])
    assert np.count_nonzero(open_labels(write([whole], value=[1])).on_grid(GRID) == 0) == 8


@pytest.mark.parametrize(
    ("name", "driver"), [("l.gdb", "OpenFileGDB"), ("l.shz", "ESRI Shapefile")]
)
def test_databases_in_folders_and_zipped_shapefiles_are_read(tmp_path, name, driver):
    frame = gpd.GeoDataFrame({"label": ["oak"]}, geometry=[pixel(0, 0)], crs="EPSG:32612")
    frame.to_file(tmp_path / name, driver=driver)
    assert open_labels(tmp_path / name).on_grid(GRID)[0, 0] == 0


def test_a_folder_with_a_shapefile_is_read(write, tmp_path):
    write([pixel(0, 0)], "labels.shp", value=[1])
    assert open_labels(tmp_path).on_grid(GRID)[0, 0] == 0


@pytest.mark.parametrize("file", ["l.shp", "l.gpkg"])
@pytest.mark.parametrize("beside", [{}, {"a/readme.txt": b"", "__MACOSX/a/._l": b""}])
def test_a_zip_may_hold_its_files_in_a_folder(write, tmp_path, file, beside):
    write([pixel(0, 0)], file, value=[1])
    with ZipFile(tmp_path / "l.zip", "w") as archive:
        for part in tmp_path.glob("l.[!z]*"):
            archive.write(part, f"a/{part.name}" if beside else f"a/b/{part.name}")
        for name, content in beside.items():
            archive.writestr(name, content)
    assert open_labels(tmp_path / "l.zip").on_grid(GRID)[0, 0] == 0


def test_a_damaged_archive_is_refused(tmp_path):
    (tmp_path / "l.zip").write_bytes(b"PK\x05\x06" + b"\xff" * 18)
    with pytest.raises(LabelError, match="Cannot read"):
        open_labels(tmp_path / "l.zip")


def test_a_folder_without_layers_is_refused(tmp_path):
    with pytest.raises(LabelError, match="no suffix of a vector file, and are no usable raster"):
        open_labels(tmp_path)


def test_a_given_table_matches_text_by_name(write):
    table = ClassTable.from_values([4, 8, 6], {4: "oak", 8: "ash", 6: "elm"})
    path = write([pixel(0, 0), pixel(0, 1)], label=["oak", "ash"])
    assert open_labels(path, table).on_grid(GRID)[0, :2].tolist() == [0, 2]


def test_a_class_outside_the_table_is_refused(write):
    path = write([pixel(0, 0)], label=["oak"])
    with pytest.raises(LabelError, match="'oak'"):
        open_labels(path, ClassTable.from_values([1], {1: "ash"}))


def test_an_unclear_column_is_refused_with_the_list(write):
    path = write([pixel(0, 0)], height=[3.5], owner=["a"])
    with pytest.raises(LabelError, match="height, owner"):
        open_labels(path)


def test_a_column_that_is_not_there_is_refused_with_the_list(write):
    with pytest.raises(LabelError, match="it has value"):
        open_labels(write([pixel(0, 0)], value=[1]), column="class")


def test_fractions_are_no_classes(write):
    with pytest.raises(LabelError, match="no class value"):
        open_labels(write([pixel(0, 0)], value=[1.5]))


def test_features_without_a_class_are_left_out_with_a_warning(write):
    path = write([pixel(0, 0), pixel(0, 1)], label=["oak", None])
    with pytest.warns(SkippedLabelWarning, match="1 of 2"):
        labels = open_labels(path)
    assert labels.on_grid(GRID)[0, :2].tolist() == [0, IGNORE_INDEX]


def test_several_layers_must_be_chosen_from(write):
    write([pixel(0, 0)], layer="a", value=[1])
    path = write([pixel(0, 1)], layer="b", value=[2])
    with pytest.raises(LabelError, match="a, b"):
        open_labels(path)
    assert open_labels(path, layer="b").classes.values == (2,)


@pytest.mark.parametrize("name", ["l.shp", "l.geojson", "l.parquet", "l.fgb"])
def test_the_usual_formats_are_read(write, name):
    path = write([pixel(0, 0)], name=name, value=[1])
    assert open_labels(path).on_grid(GRID)[0, 0] == 0


def test_a_layer_without_crs_is_refused(write):
    with pytest.raises(LabelError, match="no coordinate reference system"):
        open_labels(write([pixel(0, 0)], name="labels.shp", crs=None, value=[1]))


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "labels.gpkg"
    path.write_bytes(b"not a geopackage")
    with pytest.raises(LabelError, match="Cannot read"):
        open_labels(path)


@pytest.mark.parametrize("empty", [[None, None], ["", " "], [np.nan, np.nan]])
def test_an_empty_class_column_is_refused_with_what_to_do(write, empty):
    path = write([pixel(0, 0), pixel(0, 1)], point=[1, 2], **{"class": empty})
    with pytest.raises(LabelError, match=r"'class' of .* is empty in each of its 2 features; fill"):
        open_labels(path)


def shapes_that_overlap(rng):
    """Boxes, lines and points of four classes, in mixed order."""
    corner = rng.integers(0, 30, (25, 2))
    side = rng.integers(2, 15, (25, 2))
    shapes = [box(c, r, c + w, r + h) for (c, r), (w, h) in zip(corner, side, strict=True)]
    shapes += [pixel(r, c) for r, c in rng.integers(0, 40, (20, 2))]
    for row, left, right in rng.integers(0, 40, (6, 3)):
        ends = sorted((left, right + 1))
        shapes.append(shapely.LineString([GRID.affine * (x + 0.5, row + 0.5) for x in ends]))
    order = rng.permutation(len(shapes))
    return [shapes[i] for i in order], rng.integers(0, 4, len(shapes))


def claims(shape):
    """Pixels that a feature takes alone, by GDAL."""
    drawn = rasterio.features.rasterize([shape], GRID.shape, transform=GRID.affine)
    return {tuple(at) for at in np.argwhere(drawn)}


@pytest.mark.parametrize("overlap", ["last", "first", "smallest", "ignore"])
@pytest.mark.parametrize("seed", [0, 1])
def test_overlaps_are_settled_pixel_by_pixel_as_the_rule_says(write, overlap, seed):
    shapes, values = shapes_that_overlap(np.random.default_rng(seed))
    expected = np.full(GRID.shape, IGNORE_INDEX)
    owners = [claims(shape) for shape in shapes]
    for at in np.ndindex(*GRID.shape):
        here = [i for i, owned in enumerate(owners) if at in owned]
        if not here:
            continue
        if overlap == "ignore":
            if len({values[i] for i in here}) == 1:
                expected[at] = values[here[0]]
            continue
        dimension = min(shapely.get_dimensions(shapes[i]) for i in here)
        top = [i for i in here if shapely.get_dimensions(shapes[i]) == dimension]
        size = shapely.area if dimension == 2 else shapely.length
        if overlap == "smallest":
            least = min(round(size(shapes[i]), 3) for i in top)
            top = [i for i in top if round(size(shapes[i]), 3) == least]
        expected[at] = values[top[0] if overlap == "first" else top[-1]]
    path = write(shapes, value=values)
    assert np.array_equal(open_labels(path, overlap=overlap).on_grid(GRID), expected)


def test_a_dropped_feature_that_overlaps_another_leaves_no_label(write):
    path = write([box(0, 0, 4, 2), box(2, 0, 6, 2)], value=[1, 2])
    labels = open_labels(path, remap={2: None}, overlap="ignore")
    assert labels.on_grid(GRID)[0, :7].tolist() == [0, 0, 255, 255, 255, 255, 255]


def test_several_layers_are_read_together_each_a_class_or_with_a_column(write):
    write([box(0, 0, 4, 2)], layer="water", depth=[3])
    path = write(
        gpd.GeoSeries([box(2, 0, 6, 2)], crs="EPSG:32612").to_crs("EPSG:4326").to_list(),
        layer="forest", crs="EPSG:4326", depth=[5],
    )  # fmt: skip
    labels = open_labels(path, column="layer", layer=["water", "forest"])
    assert labels.classes.names == ("forest", "water")
    assert labels.on_grid(GRID)[0, :7].tolist() == [1, 1, 0, 0, 0, 0, 255]
    assert open_labels(path, column="depth", layer=["forest", "water"]).on_grid(GRID)[
        0, :7
    ].tolist() == [0, 0, 0, 0, 1, 1, 255]


def test_a_missing_layer_is_named(write):
    path = write([pixel(0, 0)], layer="a", value=[1])
    with pytest.raises(LabelError, match="no layer 'b'; name one of a"):
        open_labels(path, layer=["a", "b"])


def test_a_crs_can_be_given_where_the_file_has_none_or_a_wrong_one(write):
    none = write([box(0, 0, 4, 2)], name="none.shp", crs=None, value=[1])
    wrong = write([box(0, 0, 4, 2)], name="wrong.gpkg", crs="EPSG:32633", value=[1])
    for path in (none, wrong):
        labels = open_labels(path, crs="EPSG:32612")
        assert np.count_nonzero(labels.on_grid(GRID) == 0) == 8
    with pytest.raises(LabelError, match="'EPSG:0' is no coordinate reference system"):
        open_labels(none, crs="EPSG:0")


def test_resampling_is_refused(write):
    path = write([box(0, 0, 9, 9)], value=[1])
    with pytest.raises(ConfigError, match="are vectors, and resampling is for rasters"):
        open_labels(path, resampling="majority")
