import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sscl_geo.classes import ClassTable
from sscl_geo.errors import ConfigError, LabelError
from sscl_geo.evaluation import estimate_from_points, sample_size
from sscl_geo.evaluation.areas import Z_95

NAMES = {1: "deforestation", 2: "forest gain", 3: "stable forest", 4: "stable non-forest"}
PAPER = ClassTable.from_values(NAMES, NAMES)
PAPER_POINTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]).T
PAPER_PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])
HECTARES = 0.09


def test_the_worked_example_of_olofsson_et_al_2014():
    result = estimate_from_points(PAPER_POINTS, PAPER_PIXELS * HECTARES, PAPER)
    assert result.overall_accuracy.value == pytest.approx(0.947, abs=5e-4)
    assert result.overall_accuracy.margin == pytest.approx(0.018, abs=5e-4)
    assert result.users_accuracy.value == pytest.approx([0.88, 0.73, 0.93, 0.96], abs=5e-3)
    assert result.users_accuracy.margin == pytest.approx([0.07, 0.10, 0.04, 0.02], abs=5e-3)
    assert result.producers_accuracy.value == pytest.approx([0.75, 0.85, 0.93, 0.96], abs=5e-3)
    assert result.producers_accuracy.margin[0] == pytest.approx(0.21, abs=5e-3)
    assert result.area.value[0] == pytest.approx(21_158, abs=1)
    assert result.area.margin[0] == pytest.approx(6158, abs=1)
    assert result.area.value.sum() == pytest.approx(PAPER_PIXELS.sum() * HECTARES)


def variance_by_points(counts, area, score):
    """Design variance of a stratified mean of ``score(mapped, reference)``, point by point."""
    total = 0
    for mapped, column in enumerate(counts.T):
        scores = np.repeat([score(mapped, r) for r in range(len(column))], column)
        if len(scores) > 1:
            total += (area[mapped] / area.sum()) ** 2 * scores.var(ddof=1) / len(scores)
    return total


@st.composite
def samples(draw):
    size = draw(st.integers(2, 4))
    counts = draw(arrays(np.int64, (size, size), elements=st.integers(0, 30)))
    area = draw(arrays(np.float64, size, elements=st.integers(1, 1000)))
    assume((counts.sum(axis=0) >= 2).all())
    return counts, area


@given(samples())
@settings(max_examples=80, deadline=None)
def test_variances_are_those_of_the_points_one_by_one(sample):
    counts, area = sample
    size = len(area)
    result = estimate_from_points(counts, area, ClassTable.from_values(range(size)))
    right = variance_by_points(counts, area, lambda mapped, r: float(mapped == r))
    assert result.overall_accuracy.margin == pytest.approx(Z_95 * np.sqrt(right), abs=1e-9)
    for k in range(size):
        covered = variance_by_points(counts, area, lambda _, r, k=k: float(r == k))
        expected = Z_95 * np.sqrt(covered) * area.sum()
        assert result.area.margin[k] == pytest.approx(expected, abs=1e-9)
        share = result.area.value[k] / area.sum()
        if share == 0:
            assert np.isnan(result.producers_accuracy.value[k])
            continue
        found = result.producers_accuracy.value[k]
        # Of a ratio, the variance of its residuals (Cochran, 1977, section 6.11).
        residual = variance_by_points(
            counts, area, lambda mapped, r, k=k, p=found: (r == k) * ((mapped == k) - p)
        )
        expected = Z_95 * np.sqrt(residual) / share
        assert result.producers_accuracy.margin[k] == pytest.approx(expected, abs=1e-9)


def test_intervals_hold_the_truth_as_often_as_they_say():
    # 2000 samples of a ground that is known: binomial error of the share is half a percent.
    rng = np.random.default_rng(0)
    area = np.array([300.0, 700.0])
    truth = np.array([[0.8, 0.1], [0.2, 0.9]])  # reference by mapped class
    held = 0
    for _ in range(2000):
        counts = np.stack([rng.multinomial(100, column) for column in truth.T], axis=1)
        estimate = estimate_from_points(counts, area, ClassTable.from_values([0, 1])).area
        held += abs(estimate.value[0] - 310) <= estimate.margin[0]
    assert held / 2000 == pytest.approx(0.95, abs=0.015)


def test_margins_are_those_of_all_samples_of_a_small_map():
    # Every sample without replacement of a map of 4 and 5 pixels: the mean of the estimated
    # variances is the variance of the estimates.
    truth, drawn = [[0, 0, 1, 0], [1, 1, 0, 1, 0]], (2, 3)
    found = []
    for picked in itertools.product(*map(itertools.combinations, truth, drawn)):
        counts = np.stack([np.bincount(column, minlength=2) for column in picked], axis=1)
        classes = ClassTable.from_values([0, 1])
        result = estimate_from_points(counts, [4, 5], classes, "pixels", [4, 5])
        found.append([(e.value[()], e.margin[()]) for e in (result.overall_accuracy,)])
        found[-1].append((result.area.value[1], result.area.margin[1]))
    value, margin = np.moveaxis(np.array(found), -1, 0)
    assert value.mean(axis=0) == pytest.approx([6 / 9, 4])
    assert ((margin / Z_95) ** 2).mean(axis=0) == pytest.approx(value.var(axis=0))


def test_a_class_of_one_pixel_needs_one_point():
    classes = ClassTable.from_values([1, 2])
    result = estimate_from_points([[40, 0], [10, 1]], [999, 1], classes, "pixels", [999, 1])
    of_the_other = Z_95 * 999 * np.sqrt(0.8 * 0.2 / 49 * (1 - 50 / 999))
    assert result.users_accuracy.value[1] == 1
    assert result.users_accuracy.margin[1] == 0
    assert result.area.margin.tolist() == pytest.approx([of_the_other, of_the_other])


def test_more_points_than_pixels_are_refused():
    with pytest.raises(ConfigError, match="fewer than the points"):
        estimate_from_points([[3]], [2], ClassTable.from_values([1]), "pixels", [2])


def test_a_class_that_the_map_lacks_still_has_an_area():
    result = estimate_from_points([[9, 0], [1, 0]], [100, 0], ClassTable.from_values([1, 2]))
    assert result.area.value.tolist() == pytest.approx([90, 10])
    assert result.producers_accuracy.value[1] == 0
    assert np.isnan(result.users_accuracy.value[1])


@pytest.mark.parametrize("column", [[0, 0], [1, 0]])
def test_a_mapped_class_with_fewer_than_two_points_is_refused(column):
    points = np.array([[5, 0], [5, 0]])
    points[:, 1] = column
    with pytest.raises(LabelError, match=r"'class 2' has [01] labelled"):
        estimate_from_points(points, [10, 10], ClassTable.from_values([1, 2]))


def test_points_in_a_class_without_area_are_refused():
    with pytest.raises(LabelError, match="'class 2', which has no area"):
        estimate_from_points([[5, 2], [5, 2]], [10, 0], ClassTable.from_values([1, 2]))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="do not fit"):
        estimate_from_points([[5, 2]], [10, 0], ClassTable.from_values([1, 2]))


def test_the_sample_size_of_the_paper():
    assert sample_size(PAPER_PIXELS, [0.7, 0.6, 0.9, 0.95], 0.01) == 641
    with pytest.raises(ConfigError, match="standard error"):
        sample_size(PAPER_PIXELS, [0.7, 0.6, 0.9, 0.95], 0)
