import numpy as np
import pytest

from sscl_geo.classes import NODATA, ClassTable, LandCoverClass
from sscl_geo.errors import SceneError
from sscl_geo.maps.products.finished import open_map

TABLE = ClassTable(
    (
        LandCoverClass(9, "Wälder & <Forst>", (34, 139, 34)),
        LandCoverClass(0, "water", (30, 60, 200)),
        LandCoverClass(4, "never seen", (1, 2, 3)),
    )
)


@pytest.fixture
def values():
    found = np.random.default_rng(0).choice([0, 9, 9, 9], (40, 60))
    found[:5] = NODATA
    return found


def test_a_map_tells_classes_in_the_order_of_its_legend(make_map, values):
    found = open_map(make_map(values, TABLE, tags={"SSCL_GEO_VERSION": "1"}))
    assert found.classes == TABLE
    assert found.tags["SSCL_GEO_VERSION"] == "1"
    assert found.confidence is None


@pytest.mark.parametrize("grid", ["utm", "south_up", "rotated", "non_square", "geographic"])
def test_areas_are_those_of_the_ground(make_map, values, grid):
    table = open_map(make_map(values, TABLE, grid=grid)).areas()
    assert table["pixels"].tolist() == [(values == 9).sum(), (values == 0).sum(), 0]
    assert table["percent"].sum() == pytest.approx(100)
    if grid in {"utm", "south_up", "non_square"}:
        pixel = {"non_square": 250}.get(grid, 900) / 10_000
        assert table["area_ha"].tolist() == pytest.approx(table["pixels"] * pixel, rel=2e-3)


def test_a_raster_without_names_is_a_map_too(make_scene, values):
    found = open_map(make_scene(values[None].astype(np.uint8), nodata=NODATA))
    assert found.classes.names == ("class 0", "class 9")


def test_a_damaged_attribute_file_costs_the_order_only(make_map, values):
    path = make_map(values, TABLE)
    path.with_name("map.tif.aux.xml").write_text("<PAMDataset><")
    assert sorted(open_map(path).classes.values) == [0, 9]


def test_the_confidence_beside_is_found(make_map, values):
    path = make_map(values, TABLE, percent=np.full(values.shape, 50))
    assert open_map(path).confidence == path.with_name("map.confidence.tif")


def test_the_confidence_of_another_run_is_not_of_this_map(make_map, values):
    make_map(values, TABLE, percent=np.full(values.shape, 50))
    path = make_map(values, TABLE, tags={"SSCL_GEO_RUN": "another"})
    assert open_map(path).confidence is None
    path = make_map(values[:30], TABLE)
    assert open_map(path).confidence is None


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (np.zeros((2, 8, 8), np.uint8), "2 bands"),
        (np.zeros((1, 8, 8), np.float32), "float32"),
        (np.full((1, 8, 8), NODATA, np.uint8), "no pixel with a class"),
    ],
)
def test_other_rasters_are_refused(make_scene, pixels, why):
    with pytest.raises(SceneError, match=why):
        open_map(make_scene(pixels, nodata=NODATA))


def test_what_is_no_raster_is_refused(tmp_path):
    with pytest.raises(SceneError, match="There is no map"):
        open_map(tmp_path / "none.tif")
    (tmp_path / "text.tif").write_text("hello")
    with pytest.raises(SceneError, match="cannot be read as a map"):
        open_map(tmp_path / "text.tif")
