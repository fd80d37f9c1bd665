"""Affine matrices against the affine package and exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from sscl_geo.geometry.affine import (
    affine_from_matrix,
    compose,
    invert,
    matrix_from_affine,
    scaling,
    transform_points,
    translation,
    view_to_view,
)

angles = st.floats(-180, 180)
sizes = st.floats(0.1, 100)
offsets = st.floats(-1e7, 1e7)


@st.composite
def transforms(draw: st.DrawFn) -> Affine:
    flip = draw(st.sampled_from([-1, 1]))
    return (
        Affine.translation(draw(offsets), draw(offsets))
        @ Affine.rotation(draw(angles))
        @ Affine.scale(draw(sizes), flip * draw(sizes))
    )


def exact(matrix: np.ndarray) -> list[list[Fraction]]:
    return [[Fraction(float(v)) for v in row] for row in matrix] + [
        [Fraction(0)] * 2 + [Fraction(1)]
    ]


def exact_view_to_view(a: np.ndarray, b: np.ndarray, col: float, row: float) -> tuple[float, float]:
    """inv(b) @ a applied to a pixel, in rational arithmetic."""
    a, b = exact(a), exact(b)
    x = a[0][0] * Fraction(col) + a[0][1] * Fraction(row) + a[0][2] - b[0][2]
    y = a[1][0] * Fraction(col) + a[1][1] * Fraction(row) + a[1][2] - b[1][2]
    determinant = b[0][0] * b[1][1] - b[0][1] * b[1][0]
    return (
        float((b[1][1] * x - b[0][1] * y) / determinant),
        float((b[0][0] * y - b[1][0] * x) / determinant),
    )


@given(transforms())
def test_round_trip_through_affine_keeps_all_six_numbers(transform: Affine) -> None:
    assert affine_from_matrix(matrix_from_affine(transform)) == transform


@given(transforms(), transforms())
def test_compose_agrees_with_the_affine_package(a: Affine, b: Affine) -> None:
    expected = matrix_from_affine(a @ b)
    np.testing.assert_allclose(
        compose(matrix_from_affine(a), matrix_from_affine(b)), expected, rtol=1e-12, atol=1e-6
    )


@given(transforms())
def test_invert_agrees_with_the_affine_package(transform: Affine) -> None:
    np.testing.assert_allclose(
        invert(matrix_from_affine(transform)),
        matrix_from_affine(~transform),
        rtol=1e-9,
        atol=1e-9,
    )


def test_numpy_and_torch_give_the_same() -> None:
    a = np.stack([matrix_from_affine(Affine.rotation(i) @ Affine.scale(3, -2)) for i in range(5)])
    b = compose(scaling(2, 3), translation(5, 7))
    ours = compose(invert(torch.from_numpy(a)), torch.from_numpy(b)).numpy()
    np.testing.assert_allclose(ours, compose(invert(a), b), rtol=1e-14)


def test_points_go_x_then_y() -> None:
    matrix = np.array([[2.0, 0, 100], [0, -3.0, 200]])
    np.testing.assert_array_equal(
        transform_points(matrix, np.array([[1.0, 10.0]])), [[102.0, 170.0]]
    )


@given(transforms(), transforms(), st.integers(0, 512), st.integers(0, 512))
def test_view_to_view_is_exact_at_millions_of_metres(
    a: Affine, b: Affine, col: int, row: int
) -> None:
    b = Affine.translation(a.c - b.c + 1000, a.f - b.f - 700) @ b
    first, second = matrix_from_affine(a), matrix_from_affine(b)
    expected = exact_view_to_view(first, second, col, row)
    got = transform_points(view_to_view(first, second), np.array([[col, row]], dtype=float))[0]
    # Map coordinates themselves are rounded to 2e-9 m; pixels here are at least 0.1 m.
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("northing", [0.0, 4_100_025.0])
def test_view_to_view_survives_a_cast_to_float32(northing: float) -> None:
    a = np.array([[30.0, 0, 300_015], [0, -30, northing]])
    b = np.array([[21.0, 3, 300_700], [3, -21, northing - 400]])
    matrix = torch.from_numpy(view_to_view(a, b)).float()
    got = transform_points(matrix, torch.tensor([[255.5, 255.5]]))[0]
    expected = exact_view_to_view(a, b, 255.5, 255.5)
    np.testing.assert_allclose(got, expected, atol=1e-3)
