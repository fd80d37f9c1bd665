import gc
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from sscl_geo.classes import IGNORE_INDEX, ClassTable
from sscl_geo.errors import ConfigError, LabelError
from sscl_geo.io.labels import check_overlap, open_labels
from sscl_geo.io.scene import open_scene

GRIDS = ("utm", "south_up", "non_square", "rotated", "web_mercator", "geographic")


def random_classes(shape=(53, 71), seed=0):
    return np.random.default_rng(seed).choice([0, 3, 7, 255], size=(1, *shape)).astype(np.uint8)


@pytest.mark.parametrize("grid", GRIDS)
def test_labels_on_their_own_grid_come_through_untouched(make_scene, grid):
    values = random_classes()
    labels = open_labels(make_scene(values, grid=grid, nodata=255))
    indices = labels.on_grid(labels.scene.geobox)
    lookup = np.array([0, 3, 7])
    assert labels.classes.values == (0, 3, 7)
    assert np.array_equal(indices == IGNORE_INDEX, values[0] == 255)
    labelled = indices != IGNORE_INDEX
    assert np.array_equal(lookup[indices[labelled]], values[0][labelled])


@pytest.mark.parametrize("grid", GRIDS)
def test_a_window_of_the_grid_equals_the_same_window_of_the_whole(make_scene, grid):
    labels = open_labels(make_scene(random_classes(), grid=grid, nodata=255))
    geobox = labels.scene.geobox
    whole = labels.on_grid(geobox)
    assert np.array_equal(labels.on_grid(geobox[5:40, 17:71]), whole[5:40, 17:71])


def nearest_by_hand(values, source, target):
    """Label under the centre of each target pixel, by pyproj and plain indexing."""
    row, col = np.mgrid[: target.shape[0], : target.shape[1]] + 0.5
    x, y = target.affine * (col.ravel(), row.ravel())
    x, y = Transformer.from_crs(target.crs.proj, source.crs.proj, always_xy=True).transform(x, y)
    i, j = ~source.affine * (np.asarray(x), np.asarray(y))
    j, i = np.floor(j).astype(int), np.floor(i).astype(int)
    inside = (i >= 0) & (i < source.shape[1]) & (j >= 0) & (j < source.shape[0])
    out = np.full(len(i), 255, values.dtype)
    out[inside] = values[j[inside], i[inside]]
    return out.reshape(target.shape)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:26912", Affine(31.5, 0, 300_003, 0, -31.4, 4_100_031)),
        ("EPSG:32612", Affine(11, 0, 300_003, 0, -7, 4_100_031)),
        ("EPSG:32612", Affine(47, 0, 299_900, 0, 53, 4_098_000)),
        ("EPSG:4326", Affine(3e-4, 0, -113.2505, 0, -3e-4, 37.0244)),
        ("EPSG:3857", Affine.translation(-12_607_000, 4_442_500) * Affine.rotation(20)
         * Affine.scale(30, -30)),
    ],
)  # fmt: skip
def test_other_grids_get_the_label_under_the_centre_of_their_pixels(make_scene, crs, transform):
    values = np.repeat(np.repeat(random_classes((18, 24)), 3, 1), 3, 2)
    labels = open_labels(make_scene(values, nodata=255))
    target = GeoBox((61, 67), transform, crs)
    indices = labels.on_grid(target)
    expected = nearest_by_hand(values[0], labels.scene.geobox, target)
    got = np.array([0, 3, 7] + [255] * 253)[indices]
    assert (indices != IGNORE_INDEX).any()
    # Centres within a hair of a pixel's edge may fall to either side.
    assert np.mean(got != expected) < 2e-3


def test_a_crs_of_another_name_but_the_same_ground_loses_nothing(make_scene):
    lcc = (
        "+proj=lcc +lat_0=33.75 +lon_0=-79 +lat_1=36.1666666666667 +lat_2=34.3333333333333 "
        "+x_0=609601.22 +y_0=0 +ellps=GRS80 +towgs84=0,0,0,0,0,0,0 +units=m"
    )
    transform = Affine(28.5, 0, 630_534, 0, -28.5, 228_114)
    values = random_classes()
    labels = open_labels(
        make_scene(values, crs="EPSG:3358", transform=transform, nodata=255, name="labels.tif")
    )
    scene = open_scene(make_scene(values, crs=lcc, transform=transform))
    indices = labels.on_grid(scene.geobox)
    assert np.array_equal(np.array([0, 3, 7] + [255] * 253)[indices], values[0])


def test_a_grid_beside_the_labels_has_none(make_scene):
    labels = open_labels(make_scene(random_classes(), nodata=255))
    beside = labels.scene.geobox.translate_pix(1000, 0)
    far = GeoBox((9, 9), Affine(1, 0, 20, 0, -1, 50), "EPSG:4326")
    assert (labels.on_grid(beside) == IGNORE_INDEX).all()
    assert (labels.on_grid(far) == IGNORE_INDEX).all()


def test_labels_beside_the_scene_are_refused(make_scene):
    labels = open_labels(make_scene(random_classes(), nodata=255))
    with pytest.raises(LabelError, match="wholly outside"):
        check_overlap(labels, labels.scene.geobox.translate_pix(1000, 0), "scene.tif")


def test_whole_numbers_stored_as_floats_are_classes_and_nan_is_none(make_scene):
    values = np.array([[[1, 2, np.nan], [-99999, 2, 1]]], np.float32)
    labels = open_labels(make_scene(values, nodata=-99999))
    assert labels.classes.values == (1, 2)
    assert labels.on_grid(labels.scene.geobox).tolist() == [[0, 1, 255], [255, 1, 0]]


@pytest.mark.parametrize("bad", [1.5, -1, 300])
def test_a_value_that_is_no_class_is_refused(make_scene, bad):
    with pytest.raises(LabelError, match="no class value"):
        open_labels(make_scene(np.full((1, 4, 4), bad, np.float32)))


def test_a_class_outside_the_table_is_refused(make_scene):
    labels = open_labels(make_scene(random_classes(), nodata=255), ClassTable.from_values([0, 3]))
    with pytest.raises(LabelError, match="class value 7"):
        labels.on_grid(labels.scene.geobox)


def test_a_given_table_sets_the_order_of_the_classes(make_scene):
    values = np.array([[[1, 2], [2, 255]]], np.uint8)
    table = ClassTable(tuple(reversed(ClassTable.from_values([1, 2, 9]).classes)))
    labels = open_labels(make_scene(values), table)
    assert labels.on_grid(labels.scene.geobox).tolist() == [[2, 1], [1, 255]]


def test_a_raster_without_any_label_is_refused(make_scene):
    with pytest.raises(LabelError, match="no label"):
        open_labels(make_scene(np.full((1, 4, 4), 255, np.uint8)))


def test_several_bands_are_refused(make_scene):
    with pytest.raises(LabelError, match="2 bands"):
        open_labels(make_scene(np.zeros((2, 4, 4), np.uint8)))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LabelError, match="There is no file"):
        open_labels(tmp_path / "none.tif")


def test_names_and_colours_of_the_file_are_kept(make_scene):
    path = make_scene(np.array([[[1, 2], [2, 255]]], np.uint8), nodata=255)
    with rasterio.open(path, "r+") as raster:
        raster.write_colormap(1, {1: (10, 20, 30, 255), 2: (40, 50, 60, 255)})
    path.with_name(f"{path.name}.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><CategoryNames><Category/>'
        "<Category>water &amp; ice</Category><Category>forest</Category>"
        "</CategoryNames></PAMRasterBand></PAMDataset>"
    )
    table = open_labels(path).classes
    assert table.names == ("water & ice", "forest")
    assert [c.color for c in table] == [(10, 20, 30), (40, 50, 60)]


def test_a_crs_can_be_given_where_the_file_names_a_wrong_one(make_scene):
    values = random_classes()
    right = open_labels(make_scene(values, nodata=255, name="right.tif"))
    path = make_scene(values, nodata=255, crs="EPSG:32633", name="wrong.tif")
    assert not open_labels(path).overlaps(right.scene.geobox)
    mended = open_labels(path, crs="EPSG:32612")
    grid = GeoBox((40, 50), Affine(37, 0, 300_003, 0, -29, 4_100_031), "EPSG:26912")
    assert np.array_equal(mended.on_grid(grid), right.on_grid(grid))
    assert np.array_equal(mended.on_grid(right.scene.geobox), right.on_grid(right.scene.geobox))


def test_a_crs_can_be_given_where_the_file_names_none(make_scene, monkeypatch, tmp_path):
    values = random_classes()
    right = open_labels(make_scene(values, nodata=255, name="right.tif"))
    with rasterio.open(
        tmp_path / "none.tif", "w", driver="GTiff", count=1, height=53, width=71, dtype="uint8",
        transform=right.scene.geobox.affine, nodata=255,
    ) as target:  # fmt: skip
        target.write(values)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabelError, match="no coordinate reference system"):
        open_labels("none.tif")
    labels = open_labels("none.tif", crs="EPSG:32612")
    assert labels.classes == right.classes
    assert np.array_equal(labels.on_grid(right.scene.geobox), right.on_grid(right.scene.geobox))


def test_an_unknown_crs_is_refused(make_scene):
    with pytest.raises(LabelError, match="'nonsense' is no coordinate reference system"):
        open_labels(make_scene(random_classes()), crs="nonsense")


@pytest.mark.parametrize(
    ("name", "value"), [("column", "class"), ("layer", "fields"), ("overlap", "ignore")]
)
def test_options_of_vector_files_are_refused(make_scene, name, value):
    path = make_scene(random_classes(), nodata=255)
    with pytest.raises(ConfigError, match=f"are a raster, and {name} is for vector files"):
        open_labels(path, **{name: value})


def test_the_file_is_opened_once_for_many_patches(make_scene, monkeypatch):
    labels = open_labels(make_scene(random_classes(), nodata=255))
    opened = []
    monkeypatch.setattr(
        rasterio, "open", lambda *a, to=rasterio.open, **k: opened.append(a) or to(*a, **k)
    )
    for row in range(0, 48, 8):
        labels.on_grid(labels.scene.geobox[row : row + 8, :8])
    assert len(opened) == 1


def test_threads_and_pickled_copies_read_the_same(make_scene):
    labels = open_labels(make_scene(random_classes(), nodata=255))
    geobox = labels.scene.geobox
    whole = labels.on_grid(geobox)
    copy = pickle.loads(pickle.dumps(labels))  # noqa: S301 - made here
    with ThreadPoolExecutor(4) as threads:
        parts = list(threads.map(copy.on_grid, [geobox[row : row + 1] for row in range(53)]))
    assert np.array_equal(np.concatenate(parts), whole)


def test_the_file_is_closed_with_the_last_who_holds_the_labels(make_scene):
    labels = open_labels(make_scene(random_classes(), name="held.tif", nodata=255))
    labels.on_grid(labels.scene.geobox[:8, :8])

    def is_open():
        links = Path("/proc/self/fd").iterdir()
        return any(link.is_symlink() and link.readlink().name == "held.tif" for link in links)

    assert is_open()
    gc.disable()  # without waiting for a search for cycles
    try:
        del labels
        assert not is_open()
    finally:
        gc.enable()
