import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from odc.geo.geobox import GeoBox

from sscl_geo.classes import IGNORE_INDEX, ClassTable
from sscl_geo.errors import ConfigError, LabelError
from sscl_geo.io.labels import open_labels
from sscl_geo.splits import draw_label_shares

SHARES = (0.01, 0.05, 0.1, 1.0)
CLASSES = ClassTable.from_values([1, 4, 9], {1: "water", 4: "forest", 9: "field"})


@st.composite
def label_arrays(draw):
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    values = st.sampled_from([0, 1, 2, IGNORE_INDEX])
    labels = draw(arrays(np.uint8, shape, elements=values))
    labels[draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))] = 3
    return labels


options = st.fixed_dictionaries(
    {
        "drawn": st.sampled_from(["patch", "pixel"]),
        "patch_size": st.integers(1, 9),
        "stratified": st.booleans(),
        "seed": st.integers(0, 5),
    }
)


@given(label_arrays(), options, st.lists(st.floats(0.001, 1), min_size=1, max_size=5, unique=True))
@settings(max_examples=120, deadline=None)
def test_smaller_shares_lie_inside_larger_ones(labels, option, shares):
    drawn = draw_label_shares(labels, shares, **option)
    before = np.zeros(labels.shape, bool)
    for share in sorted(shares):
        taken = drawn.take(share)
        inside = taken != IGNORE_INDEX
        assert inside.any()
        assert (inside | ~before).all()
        assert np.array_equal(taken[inside], labels[inside])
        before = inside


@given(label_arrays(), options)
@settings(max_examples=60, deadline=None)
def test_all_of_the_labels_is_all_of_them(labels, option):
    assert np.array_equal(draw_label_shares(labels, SHARES, **option).take(1.0), labels)


def in_patches(mask, size):
    """Whether each patch has a true pixel, one patch after the other."""
    rows, cols = mask.shape
    return np.array(
        [mask[r : r + size, c : c + size].any() for r in range(0, rows, size)
         for c in range(0, cols, size)]
    )  # fmt: skip


@given(label_arrays(), options)
@settings(max_examples=80, deadline=None)
def test_patches_are_whole_and_as_many_as_asked_for(labels, option):
    option["drawn"] = "patch"
    drawn, size = draw_label_shares(labels, SHARES, **option), option["patch_size"]
    known = labels != IGNORE_INDEX
    count = in_patches(known, size).sum()
    for share in SHARES:
        inside = drawn.take(share) != IGNORE_INDEX
        some, missing = in_patches(inside, size), in_patches(known & ~inside, size)
        assert not (some & missing).any()
        assert some.sum() == max(1, round(share * count))


@given(label_arrays(), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_random_pixels_are_as_many_as_asked_for(labels, seed):
    drawn = draw_label_shares(labels, SHARES, drawn="pixel", stratified=False, seed=seed)
    known = np.count_nonzero(labels != IGNORE_INDEX)
    for share in SHARES:
        taken = np.count_nonzero(drawn.take(share) != IGNORE_INDEX)
        assert taken == max(1, round(share * known))


@given(label_arrays(), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_stratified_pixels_are_the_same_share_of_each_class(labels, seed):
    drawn = draw_label_shares(labels, SHARES, drawn="pixel", seed=seed)
    for share in SHARES:
        for k in np.unique(labels[labels != IGNORE_INDEX]):
            taken = np.count_nonzero(drawn.take(share) == k)
            assert taken == max(1, round(share * np.count_nonzero(labels == k)))


def scattered(seed):
    """100 patches of 8 pixels: class 0 everywhere, 1 in a third, 2 in six, 3 in one."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((80, 80), np.uint8)
    for k, places in ((1, 33), (2, 6), (3, 1)):
        for patch in rng.choice(100, places, replace=False):
            row, col = np.array(divmod(patch, 10)) * 8 + k
            labels[row, col] = k
    return labels


@pytest.mark.parametrize("seed", range(8))
def test_stratified_patches_hold_each_class_in_proportion_or_more(seed):
    labels = scattered(seed)
    drawn = draw_label_shares(labels, [0.04, 0.2, 0.5], patch_size=8, seed=seed)
    assert set(np.unique(drawn.take(0.04))) >= {0, 1, 2, 3}
    for share in (0.2, 0.5):
        for k in (1, 2, 3):
            of_class = np.count_nonzero(drawn.take(share) == k)
            assert of_class >= np.floor(share * np.count_nonzero(labels == k))


def test_random_patches_take_no_heed_of_classes():
    labels = scattered(0)
    rare = [
        (
            draw_label_shares(labels, [0.1], patch_size=8, stratified=False, seed=s).take(0.1) == 3
        ).any()
        for s in range(100)
    ]
    assert 2 <= sum(rare) <= 20  # one patch of ten is drawn with one chance in ten


def test_a_share_does_not_depend_on_the_others():
    labels = scattered(1)
    alone = draw_label_shares(labels, [0.1], patch_size=8, seed=3).take(0.1)
    assert np.array_equal(draw_label_shares(labels, SHARES, patch_size=8, seed=3).take(0.1), alone)
    other = draw_label_shares(labels, [0.1], patch_size=8, seed=4).take(0.1)
    assert not np.array_equal(other, alone)


@pytest.mark.parametrize("drawn", ["patch", "pixel"])
def test_files_are_labels_to_be_trained_on_and_say_how_they_were_drawn(tmp_path, drawn):
    labels = np.random.default_rng(0).choice([0, 1, 2, IGNORE_INDEX], (50, 40)).astype(np.uint8)
    geobox = GeoBox((50, 40), Affine(30, 0, 300_015, 0, -30, 4_100_025), "EPSG:32612")
    shares = draw_label_shares(labels, [0.1, 0.5], drawn=drawn, patch_size=5, seed=7)
    paths = shares.write(tmp_path / "shares", geobox, CLASSES)
    assert [p.name for p in paths] == [f"labels_{n}pct_{drawn}_seed7.tif" for n in (10, 50)]
    table = ClassTable.from_csv(tmp_path / "shares" / "classes.csv")
    for share, path in zip((0.1, 0.5), paths, strict=True):
        assert np.array_equal(open_labels(path, table).on_grid(geobox), shares.take(share))
        with rasterio.open(path) as source:
            tags = source.tags()
            assert source.nodata == 255
        assert (tags["label_share"], tags["label_seed"]) == (f"{share:g}", "7")
        assert ("label_patch_size" in tags) == (drawn == "patch")


def test_another_grid_is_refused(tmp_path):
    shares = draw_label_shares(np.zeros((4, 4), np.uint8), [1.0])
    geobox = GeoBox((4, 5), Affine.identity(), "EPSG:32612")
    with pytest.raises(ConfigError, match="grid that they were drawn on"):
        shares.write(tmp_path, geobox, CLASSES)


@pytest.mark.parametrize("shares", [[], [0], [0.5, 1.2], [-0.1]])
def test_shares_that_cannot_be_drawn_are_refused(shares):
    with pytest.raises(ConfigError, match="cannot be drawn"):
        draw_label_shares(np.zeros((4, 4), np.uint8), shares)


def test_a_share_that_was_not_drawn_is_refused():
    with pytest.raises(ConfigError, match=r"choose one of 0\.1, 1"):
        draw_label_shares(np.zeros((4, 4), np.uint8), [0.1, 1]).take(0.2)


def test_no_labels_are_refused():
    with pytest.raises(LabelError, match="no label"):
        draw_label_shares(np.full((4, 4), IGNORE_INDEX, np.uint8))
