import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sscl_geo.classes import NODATA
from sscl_geo.evaluation import BoundaryCounts
from sscl_geo.evaluation.boundary import count_boundaries

VALUES = st.sampled_from([1, 2, 7, NODATA])
SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 7))
WHOLE = (slice(None), slice(None))


def border(values, allowed):
    """Border pixels as {(row, col): class}, by the words of the definition."""
    height, width = values.shape
    found = {}
    for r in range(height):
        for c in range(width):
            for i, j in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
                inside = 0 <= i < height and 0 <= j < width
                if inside and allowed[r, c] and allowed[i, j] and values[i, j] != values[r, c]:
                    found[r, c] = values[r, c]
    return found


def brute_force(reference, mapped, tolerance):
    allowed = (reference != NODATA) & (mapped != NODATA)
    sides = border(reference, allowed), border(mapped, allowed)
    counts = np.zeros((4, 256), int)
    for row, (own, other) in enumerate((sides, sides[::-1])):
        for (r, c), value in own.items():
            counts[2 * row, value] += 1
            counts[2 * row + 1, value] += any(
                v == value and (r - i) ** 2 + (c - j) ** 2 <= tolerance**2
                for (i, j), v in other.items()
            )
    return counts


@st.composite
def pairs(draw):
    shape = draw(SHAPES)
    return draw(arrays(np.uint8, shape, elements=VALUES)), draw(
        arrays(np.uint8, shape, elements=VALUES)
    )


@given(pairs(), st.sampled_from([0, 1, 1.5, 2, 3]))
@settings(max_examples=150, deadline=None)
def test_counts_are_those_of_brute_force(pair, tolerance):
    counted = count_boundaries(*pair, tolerance, WHOLE)
    assert np.array_equal(counted, brute_force(*pair, tolerance))


def test_a_border_moved_by_less_than_the_tolerance_is_found():
    reference = np.where(np.arange(20) < 10, 1, 2)[None].repeat(5, 0).astype(np.uint8)
    moved = np.roll(reference, 2, axis=1)
    moved[:, :2] = 1
    near, far = (
        BoundaryCounts.of(t, count_boundaries(reference, moved, t, WHOLE)[:, [1, 2]])
        for t in (2, 1)
    )
    assert near.f1.tolist() == [1, 1]
    assert near.mean_f1 == 1
    assert far.f1.tolist() == [0, 0]


def test_f1_is_the_harmonic_mean_of_both_shares():
    counts = BoundaryCounts.of(
        2, np.array([[10, 0, 0, 4], [5, 0, 0, 0], [8, 3, 0, 0], [6, 0, 0, 0]])
    )
    assert counts.f1[0] == pytest.approx(2 * 0.5 * 0.75 / 1.25)
    assert counts.f1[1] == 0  # a border that only the map has
    assert np.isnan(counts.f1[2])
    assert counts.f1[3] == 0  # a border that the map lacks
    assert counts.mean_f1 == pytest.approx(counts.f1[0] / 2)


def test_labels_without_a_border_give_no_figure():
    reference = np.array([[1, NODATA, 2]], np.uint8)
    counts = count_boundaries(reference, np.array([[1, 1, 2]], np.uint8), 2, WHOLE)
    assert not counts.any()
    assert np.isnan(BoundaryCounts.of(2, counts).mean_f1)
