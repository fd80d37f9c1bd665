import numpy as np
import shapely
from rasterio.features import shapes

from sscl_geo.geometry.outlines import (
    polygon_from_rings,
    signed_area,
    split_where_touching,
    sums_inside,
    without_straight,
)

SQUARE = np.array([(0, 0), (2, 0), (4, 0), (4, 4), (0, 4)], np.int32)


def test_sums_inside_are_those_of_the_pixels():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (20, 30)).astype(np.uint8).repeat(2, 0)
    pixels = rng.integers(0, 256, labels.shape).astype(np.uint8)
    traced = [
        shapely.Polygon(g["coordinates"][0], g["coordinates"][1:])
        for g, _ in shapes(labels, connectivity=4)
    ]
    row, col = np.mgrid[:40, :30] + 0.5
    expected = [pixels[shapely.contains_xy(polygon, col, row)].sum() for polygon in traced]
    polygons = shapely.transform(
        shapely.orient_polygons(np.array(traced)), lambda xy: np.add(xy, (0, 7))
    )
    assert sums_inside(polygons, pixels, top=7).tolist() == expected


def test_a_ring_that_comes_back_to_a_vertex_becomes_rings_that_do_not():
    ring = [(0, 0), (4, 0), (4, 4), (2, 2), (2, 1), (1, 1), (1, 2), (2, 2), (0, 4)]
    found = split_where_touching(np.array(ring, np.int32))
    assert sorted(len(part) for part in found) == [4, 5]
    assert sum(signed_area(part) for part in found) == signed_area(np.array(ring))
    assert all(shapely.LinearRing(part).is_simple for part in found)


def test_a_ring_that_does_not_stays_as_it_is():
    (found,) = split_where_touching(SQUARE)
    np.testing.assert_array_equal(found, SQUARE)


def test_straight_vertices_are_left_out():
    assert without_straight(SQUARE).tolist() == [[0, 0], [4, 0], [4, 4], [0, 4]]


def test_a_polygon_has_its_holes():
    hole = np.array([(1, 1), (1, 2), (2, 2), (2, 1)], np.int32)
    polygon = polygon_from_rings(
        SQUARE, np.concatenate([hole, np.add(hole, (1, 1))]), np.array([4, 4])
    )
    assert polygon.is_valid
    assert polygon.area == 16 - 2
    assert signed_area(hole) == -1
