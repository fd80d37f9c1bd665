import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import binary_calibration_error

from sscl_geo.evaluation import Calibration


def of_pixels(percent, right):
    return Calibration(
        np.bincount(percent, minlength=101), np.bincount(percent[right], minlength=101)
    )


def off_edges(bins):
    """Percents between the edges of bins, where all conventions agree."""
    return [p for p in range(1, 100) if p * bins % 100]


@given(st.data(), st.sampled_from([3, 10, 15]))
@settings(max_examples=50, deadline=None)
def test_the_error_is_that_of_torchmetrics(data, bins):
    percent = np.array(data.draw(st.lists(st.sampled_from(off_edges(bins)), min_size=1)))
    right = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(percent), max_size=len(percent)))
    )
    # Confidence in "this pixel is right" is what the binary form measures above one half; as its
    # inputs are probabilities of the positive class, right or wrong is the target.
    expected = binary_calibration_error(
        torch.tensor(percent / 100, dtype=torch.float64), torch.tensor(right).long(), n_bins=bins
    )
    assert of_pixels(percent, right).expected_error(bins) == pytest.approx(
        float(expected), abs=1e-6
    )


def test_a_percentage_on_an_edge_belongs_to_the_bin_below():
    table = of_pixels(np.array([0, 10, 11, 30, 100]), np.array([False, True] * 2 + [True])).bins()
    assert table["pixels"].tolist() == [2, 1, 1, 0, 0, 0, 0, 0, 0, 1]
    assert table["confidence"][0] == pytest.approx(0.05)
    assert table["accuracy"][0] == 0.5
    assert np.isnan(table["accuracy"][4])


def test_a_map_that_is_as_right_as_it_says_has_no_error():
    pixels = np.full(101, 100)
    assert Calibration(pixels, np.arange(101)).expected_error() == pytest.approx(0)
    assert Calibration(pixels, np.zeros(101, int)).expected_error() == pytest.approx(0.5)


def test_no_pixels_give_no_figure():
    none = np.zeros(101, int)
    assert np.isnan(Calibration(none, none).expected_error())
