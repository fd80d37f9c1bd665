"""Geometries to be drawn onto grids."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from sscl_geo.io.drawing import Drawing
from sscl_geo.io.rasterize import rasterize

UTM = "EPSG:32612"


def grid_at(dx: float, dy: float) -> GeoBox:
    turned = Affine.rotation(13) @ Affine.scale(10, -10)
    return GeoBox((64, 50), Affine.translation(3e5 + dx, 4e6 + dy) @ turned, UTM)


def star(vertices: int) -> shapely.Polygon:
    """A polygon of 20 km with a wavy outline."""
    angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    radius = 10_000 * (1 + 0.1 * np.sin(50 * angle))
    return shapely.Polygon(
        np.c_[3e5 + radius * np.cos(angle), 4e6 + radius * np.sin(angle)],
        [shapely.box(3e5 - 90, 4e6 - 90, 3e5 + 90, 4e6 + 90).exterior],
    )


@pytest.mark.parametrize("at", [(0, 0), (-9900, 200), (9000, 4000), (50, 11_000), (12_000, 0)])
def test_a_polygon_of_many_vertices_takes_the_pixels_whose_centre_it_holds(at) -> None:
    polygon, grid = star(20_000), grid_at(*at)
    numbers, geometries = Drawing(gpd.GeoSeries([polygon], crs=UTM)).near(grid)
    drawn = rasterize(geometries, np.zeros(len(numbers), np.uint8), grid) == 0
    row, col = np.mgrid[:64, :50] + 0.5
    np.testing.assert_array_equal(drawn, shapely.contains_xy(polygon, *(grid.affine * (col, row))))
    assert (shapely.get_num_coordinates(geometries) < 2000).all()


def test_an_outline_of_many_vertices_may_cross_itself() -> None:
    eight = shapely.Polygon(
        np.concatenate(
            [
                np.linspace((3e5, 4e6), (300_512.3, 3_999_503.7), 999),
                [(300_497.9, 4e6)],
                np.linspace((300_497.9, 4e6), (3e5, 3_999_507.1), 999),
            ]
        )
    )
    grid = GeoBox((50, 50), Affine(10, 0, 3e5, 0, -10, 4e6), UTM)
    _, geometries = Drawing(gpd.GeoSeries([eight], crs=UTM)).near(grid)
    drawn = rasterize(geometries, np.zeros(len(geometries), np.uint8), grid) == 0
    row, col = np.mgrid[:50, :50] + 0.5
    held = shapely.contains_xy(shapely.make_valid(eight), *(grid.affine * (col, row)))
    np.testing.assert_array_equal(drawn, held)


def test_parts_of_one_geometry_keep_its_place_in_the_order() -> None:
    def square(x: float) -> shapely.Polygon:
        return shapely.box(3e5 + x, 4e6 - 100, 3e5 + x + 100, 4e6)

    nested = shapely.GeometryCollection(
        [shapely.Point(), shapely.GeometryCollection([square(100), shapely.MultiPolygon()])]
    )
    series = gpd.GeoSeries(
        [shapely.MultiPolygon([square(0), square(200)]), nested, square(9000), square(0)], crs=UTM
    )
    grid = GeoBox((10, 40), Affine(10, 0, 3e5, 0, -10, 4e6), UTM)
    numbers, geometries = Drawing(series).near(grid)
    assert numbers.tolist() == [0, 0, 1, 3]
    drawn = rasterize(geometries, numbers.astype(np.uint8), grid)
    assert drawn[5, [5, 15, 25, 35]].tolist() == [3, 1, 0, 255]
