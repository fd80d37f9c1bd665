import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS, Geod, Transformer

from sscl_geo.maps.areas import GroundArea
from sscl_geo.maps.class_areas import ClassAreas

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
    "pole": ("EPSG:3413", Affine(30, 0, -1515, 0, -30, 1515)),  # in the middle of the pixel
    "south_pole": ("EPSG:3031", Affine(30, 0, -1500, 0, -30, 1500)),
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
    # Around a pole the polygon's area is the rest of the globe's, to a sixteenth of a square metre.
    np.testing.assert_allclose(area, expected, rtol=1e-5, atol=6.25e-6 if grid == "pole" else 0)


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


WIDE = {
    "globe": ("EPSG:4326", Affine(2, 0, -180, 0, -2, 90), (90, 180)),
    "mercator": ("EPSG:3857", Affine(78271.5, 0, -20037508, 0, -78271.5, 20037508), (512, 512)),
    "pole": ("EPSG:3413", Affine(30e3, 0, -3e6, 0, -30e3, 3e6), (200, 200)),
    "south_pole": ("EPSG:3031", Affine(5e3, 0, -0.5e6, 0, -5e3, 0.5e6), (200, 200)),
    "utm": ("EPSG:32612", Affine(1000, 0, 166_000, 0, -1000, 9_300_000), (700, 668)),
    "antimeridian": ("EPSG:4326", Affine(0.05, 0, 170, 0, -0.05, 5), (200, 400)),
    "one row": ("EPSG:4326", Affine(0.01, 0, 0, 0, -0.01, 75), (1, 997)),
    "disc": ("+proj=ortho +lat_0=40 +lon_0=10", Affine(80e3, 0, -64e5, 0, -80e3, 64e5), (160, 160)),
}


@pytest.mark.parametrize("grid", WIDE)
def test_areas_of_wide_grids_are_those_of_their_pixels(grid):
    crs, affine, shape = WIDE[grid]
    geobox = GeoBox(shape, affine, crs)
    rng = np.random.default_rng(0)
    classes = np.kron(rng.integers(0, 4, (20, 20)), np.ones((40, 60)))[: shape[0], : shape[1]]
    row, col = np.mgrid[: shape[0], : shape[1]] + 0.5
    pixels = GroundArea(geobox).pixel_hectares(row, col)
    classes[~np.isfinite(pixels)] = 4  # space, of which nobody asks for the area
    areas = ClassAreas(geobox, 5)
    for begin in range(0, shape[0], 130):
        areas.add(classes[begin : begin + 130].astype(np.uint8))
    expected = np.bincount(classes.astype(int).ravel(), np.nan_to_num(pixels).ravel(), 5)
    assert areas.pixels.sum() == row.size
    rtol = 5e-3 if grid == "disc" else 5e-5  # at the limb pixels see more and more ground
    np.testing.assert_allclose(areas.hectares[:4], expected[:4], rtol=rtol)


def test_the_globe_has_the_area_of_its_ellipsoid():
    crs, affine, shape = WIDE["globe"]
    areas = ClassAreas(GeoBox(shape, affine, crs))
    areas.add(np.zeros(shape, np.uint8))
    assert areas.hectares[0] == pytest.approx(51_006_562_172, rel=1e-4)


@pytest.mark.parametrize("grid", ["globe", "mercator", "pole", "south_pole", "utm", "antimeridian"])
def test_polygons_have_the_area_of_their_pixels(grid):
    crs, affine, shape = WIDE[grid]
    geobox = GeoBox(shape, affine, crs)
    height, width = shape
    holed = shapely.box(3, 3, width - 4, height - 3) - shapely.box(9, 9, width - 40, height - 40)
    polygons = np.array([holed, shapely.box(5, 7, 6, 8), shapely.box(0, 0, width, height)])
    areas = GroundArea(geobox)
    drawn = [rasterio.features.rasterize([p], shape) for p in polygons]
    row, col = np.mgrid[:height, :width] + 0.5
    pixels = areas.pixel_hectares(row, col)
    expected = [(pixels * mask).sum() for mask in drawn]
    np.testing.assert_allclose(areas.polygon_hectares(polygons), expected, rtol=1e-4)
    assert areas.polygon_hectares(polygons[:0]).shape == (0,)


def test_local_grids_have_no_ground_area():
    local = 'LOCAL_CS["site",UNIT["metre",1]]'
    geobox = GeoBox((10, 10), Affine(1, 0, 0, 0, -1, 10), local)
    assert not GroundArea(geobox).is_known
    areas = ClassAreas(geobox)
    areas.add(np.zeros((10, 10), dtype=np.uint8))
    assert areas.pixels[0] == 100
    assert np.isnan(areas.hectares[0])
