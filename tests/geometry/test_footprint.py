"""Footprints and overlap shares against shapely and closed forms."""

import numpy as np
import pytest
import rasterio.transform
import shapely
from hypothesis import given
from hypothesis import strategies as st

from sscl_geo.geometry.affine import affine_from_matrix
from sscl_geo.geometry.footprint import footprint, overlap, overlap_share


def test_footprint_of_a_north_up_grid_is_rasterios_bounds() -> None:
    matrix = np.array([[30.0, 0, 300_015], [0, -30, 4_100_025]])
    bounds = rasterio.transform.array_bounds(7, 11, affine_from_matrix(matrix))
    assert footprint(matrix, (7, 11)).bounds == pytest.approx(bounds)


def test_footprint_of_a_rotated_grid_has_the_grids_area() -> None:
    matrix = np.array([[3.0, 4.0, 10], [4.0, -3.0, 20]])
    assert footprint(matrix, (6, 8)).area == pytest.approx(6 * 8 * 25)


def test_stacked_matrices_give_an_array_of_polygons() -> None:
    matrices = np.tile(np.array([[1.0, 0, 0], [0, -1, 0]]), (3, 2, 1, 1))
    assert footprint(matrices, (4, 4)).shape == (3, 2)


@given(st.integers(0, 12), st.integers(0, 12))
def test_overlap_of_shifted_squares_has_its_closed_form(dx: int, dy: int) -> None:
    a = shapely.box(0, 0, 10, 10)
    b = shapely.box(dx, dy, dx + 10, dy + 10)
    shared = max(0, 10 - dx) * max(0, 10 - dy)
    assert overlap(a, b).area == pytest.approx(shared)
    assert overlap_share(a, b) == pytest.approx(shared / 100)
    assert overlap_share(a, b, of="union") == pytest.approx(shared / (200 - shared))


def test_a_view_inside_another_shares_all_of_the_smaller() -> None:
    assert overlap_share(shapely.box(0, 0, 10, 10), shapely.box(2, 2, 4, 4)) == 1
