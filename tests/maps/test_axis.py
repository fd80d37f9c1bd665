from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscl_geo.errors import ConfigError
from sscl_geo.maps.axis import TileAxis, hann_ramp, reflect


@st.composite
def axes(draw: st.DrawFn) -> TileAxis:
    stride = draw(st.sampled_from([1, 2, 8, 32]))
    tile = stride * draw(st.integers(1, 12))
    margin = draw(st.integers(0, (tile - stride) // 2))
    overlap = draw(st.floats(0, 0.5))
    return TileAxis(draw(st.integers(1, 700)), tile, margin, overlap, stride)


@given(axes())
def test_weights_are_positive_and_sum_to_one_at_every_pixel(axis):
    total = np.zeros(axis.size)
    for i, weight in enumerate(axis.weights):
        assert weight.min() > 0
        begin, end = axis.span(i)
        total[begin:end] += weight
    np.testing.assert_allclose(total, 1, atol=1e-6)


@given(axes())
def test_finished_ranges_follow_one_another_from_first_to_last_pixel(axis):
    ranges = [axis.finished(i) for i in range(len(axis))]
    assert ranges[0][0] == 0
    assert ranges[-1][1] == axis.size
    assert all(a[1] == b[0] for a, b in pairwise(ranges))


@given(axes())
def test_a_tile_has_its_margin_of_context_around_what_it_contributes(axis):
    for i, start in enumerate(axis.starts):
        begin, end = axis.span(i)
        assert start <= begin - axis.margin
        assert end + axis.margin <= start + axis.tile
        assert begin < end


@given(axes())
def test_every_tile_starts_in_phase_with_the_network(axis):
    assert all(start % axis.stride == 0 for start in axis.starts)


@given(axes())
def test_no_tile_could_be_left_out(axis):
    spans = [axis.span(i) for i in range(len(axis))]
    for before, after in zip(spans, spans[2:], strict=False):
        assert after[0] > before[0]
    if len(axis) > 1:
        start = axis.starts[-2]
        assert start + axis.tile - axis.margin < axis.size


@given(axes(), st.data())
def test_tiles_see_the_scene_mirrored_as_numpy_pads_it(axis, data):
    i = data.draw(st.integers(0, len(axis) - 1))
    before, after = -axis.starts[0], axis.starts[-1] + axis.tile - axis.size
    padded = np.pad(np.arange(axis.size), (before, max(after, 0)), mode="reflect")
    start = axis.starts[i] + before
    np.testing.assert_array_equal(axis.reflected(i, i), padded[start : start + axis.tile])


@pytest.mark.parametrize("size", [1, 255, 256, 257, 509])
def test_odd_sizes_are_covered_to_the_last_pixel(size):
    axis = TileAxis(size, tile=256, margin=0, overlap=0)
    assert axis.span(0)[0] == 0
    assert axis.span(len(axis) - 1)[1] == size
    assert len(axis) == -(-size // 256)


def test_step_meets_the_overlap_asked_for():
    assert TileAxis(5000, tile=256, margin=16, overlap=0.25).step == 168
    assert TileAxis(5000, tile=256, margin=16, overlap=0).step == 224
    assert TileAxis(5000, tile=256, margin=16, overlap=0.5).step == 112


def test_half_overlap_is_the_half_sample_hann_window():
    axis = TileAxis(1000, tile=100, margin=0, overlap=0.5)
    n = np.arange(100)
    hann = (1 - np.cos(2 * np.pi * (n + 0.5) / 100)) / 2
    np.testing.assert_allclose(axis.weights[3], hann, atol=1e-6)


def test_weights_stay_flat_on_the_borders_of_the_scene():
    axis = TileAxis(1000, tile=100, margin=10, overlap=0.25)
    np.testing.assert_array_equal(axis.weights[0][:50], 1)
    np.testing.assert_array_equal(axis.weights[-1][-20:], 1)


@given(st.integers(1, 300))
def test_ramp_is_never_zero_and_complements_its_mirror_image(length):
    ramp = hann_ramp(length)
    assert ramp.min() > 0
    np.testing.assert_allclose(ramp + ramp[::-1], 1)


def test_reflection_of_a_single_pixel_is_that_pixel():
    assert reflect(np.arange(-5, 5), 1).tolist() == [0] * 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"tile": 100, "stride": 32},
        {"tile": 0},
        {"margin": 120},
        {"margin": -1},
        {"overlap": 0.6},
        {"overlap": -0.1},
        {"overlap": float("nan")},
    ],
)
def test_impossible_tilings_are_refused_in_a_sentence(wrong):
    options = {"tile": 224, "margin": 16, "overlap": 0.25, "stride": 1} | wrong
    with pytest.raises(ConfigError, match=r"choose|change"):
        TileAxis(1000, **options)
