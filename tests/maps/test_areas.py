import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS, Geod, Transformer

from sscl_geo.maps.areas import ClassAreas, GroundArea

GRIDS = {
    "utm": ("EPSG:32612", Affine(30, 0, 300_015, 0, -30, 4_100_025)),
    "rotated": (
        "EPSG:32612",
        Affine(8.91, 5.45, 300_015, 4.54, -10.69, 4_100_025),
    ),
    "mercator": ("EPSG:3857", Affine(10, 0, 1_000_000, 0, -10, 8_399_737)),
    "geographic": ("EPSG:4326", Affine(0.001, 0, -112.9, 0, -0.001, 37.4)),
    "feet": ("EPSG:2264", Affine(100, 0, 2_000_000, 0, -100, 700_000)),
    "antimeridian": ("EPSG:4326", Affine(0.001, 0, 179.9495, 0, -0.001, 5.0)),
    "south_up": ("EPSG:32733", Affine(30, 0, 300_015, 0, 30, 6_000_025)),
}


@pytest.mark.parametrize("grid", GRIDS)
def test_pixel_area_is_that_of_the_geodesic_polygon(grid):
    crs, affine = GRIDS[grid]
    geobox = GeoBox((100, 100), affine, crs)
    corners = np.array([[50, 51, 51, 50], [50, 50, 51, 51], [1, 1, 1, 1]])
    to_degrees = Transformer.from_crs(crs, CRS(crs).geodetic_crs, always_xy=True)
    geod: Geod = CRS(crs).get_geod()
    lon, lat = to_degrees.transform(*(np.array(affine).reshape(3, 3)[:2] @ corners))
    expected = abs(geod.polygon_area_perimeter(lon, lat)[0]) / 10_000
    area = GroundArea(geobox).pixel_hectares(np.array([50.5]), np.array([50.5]))
    np.testing.assert_allclose(area, expected, rtol=1e-5)


def test_mercator_at_sixty_degrees_is_a_quarter_of_its_map_area():
    crs, affine = GRIDS["mercator"]
    area = GroundArea(GeoBox((1, 1), affine, crs)).pixel_hectares(np.array([0.5]), np.array([0.5]))
    assert area[0] == pytest.approx(0.01 / 4, rel=0.01)


def test_classes_share_the_area_of_the_whole_grid():
    crs, affine = GRIDS["geographic"]
    geobox = GeoBox((700, 600), affine, crs)
    areas = ClassAreas(geobox)
    classes = np.random.default_rng(0).integers(0, 4, (700, 600)).astype(np.uint8)
    for begin in range(0, 700, 130):
        areas.add(classes[begin : begin + 130])
    np.testing.assert_array_equal(areas.pixels[:4], np.bincount(classes.ravel()))
    side = np.linspace(0, 1, 500)  # parallels are no geodesics, so they need many points
    lon = affine.c + 0.6 * np.concatenate([side, 0 * side + 1, side[::-1], 0 * side])
    lat = affine.f - 0.7 * np.concatenate([0 * side, side, 0 * side + 1, side[::-1]])
    expected = abs(Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)[0]) / 10_000
    assert areas.hectares.sum() == pytest.approx(expected, rel=1e-5)


def test_local_grids_have_no_ground_area():
    local = 'LOCAL_CS["site",UNIT["metre",1]]'
    geobox = GeoBox((10, 10), Affine(1, 0, 0, 0, -1, 10), local)
    assert not GroundArea(geobox).is_known
    areas = ClassAreas(geobox)
    areas.add(np.zeros((10, 10), dtype=np.uint8))
    assert areas.pixels[0] == 100
    assert np.isnan(areas.hectares[0])
