import geopandas as gpd
import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from sscl_geo.classes import NODATA, ClassTable, LandCoverClass
from sscl_geo.maps.products import polygons
from sscl_geo.maps.products.polygons import write_polygons

TABLE = ClassTable(
    (LandCoverClass(0, "zero <&>", (0, 0, 0)), LandCoverClass(200, "Wälder", (1, 1, 1)))
)


@pytest.fixture
def trace(make_scene, tmp_path):
    def make(values, grid="utm", **options):
        path = make_scene(values[None].astype(np.uint8), grid=grid, nodata=NODATA, **options)
        with rasterio.open(path) as source:  # not open_scene, which refuses local grids
            geobox = GeoBox(source.shape, source.transform, source.crs)
        write_polygons(path, tmp_path / "regions.gpkg", TABLE, geobox)
        return gpd.read_file(tmp_path / "regions.gpkg"), geobox

    return make


@pytest.mark.parametrize("grid", ["utm", "south_up", "rotated", "geographic"])
def test_regions_burned_back_give_the_map(trace, grid):
    values = np.random.default_rng(3).choice([0, 200, NODATA], (40, 61))
    regions, geobox = trace(values, grid)
    burned = rasterize(
        zip(regions.geometry, regions["value"], strict=True),
        out_shape=values.shape,
        transform=geobox.affine,
        fill=NODATA,
        dtype="uint8",
    )
    np.testing.assert_array_equal(burned, values)


def test_a_region_is_one_polygon_with_its_holes_and_its_name(trace):
    values = np.full((30, 30), 200)
    values[10:20, 10:20] = 0
    values[12:14, 12:14] = NODATA
    regions, _ = trace(values)
    assert sorted(zip(regions["value"], regions["name"], strict=True)) == [
        (0, "zero <&>"),
        (200, "Wälder"),
    ]
    assert regions.geometry.is_valid.all()
    by_value = regions.set_index("value").geometry
    assert by_value[200].area == 800 * 900
    assert len(by_value[0].interiors) == 1


def test_pixels_that_touch_at_a_corner_are_apart(trace):
    values = np.indices((6, 6)).sum(axis=0) % 2 * 200
    regions, _ = trace(values)
    assert len(regions) == 36
    assert regions.geometry.is_valid.all()


def test_area_is_on_the_ground_in_hectares(trace):
    values = np.full((30, 30), 200)
    regions, _ = trace(values)
    assert regions["area_ha"].item() == pytest.approx(900 * 0.09, rel=2e-3)


def test_no_area_is_made_up_for_a_local_grid(trace):
    regions, _ = trace(np.full((3, 3), 0), crs='LOCAL_CS["site",UNIT["metre",1]]')
    assert "area_ha" not in regions


def test_many_regions_are_written_in_chunks(trace, monkeypatch):
    monkeypatch.setattr(polygons, "CHUNK", 7)
    regions, _ = trace(np.indices((6, 6)).sum(axis=0) % 2 * 200)
    assert len(regions) == 36
