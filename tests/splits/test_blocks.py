import warnings

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.errors import ConfigError, LabelError, UnevenSplitWarning
from sscl_geo.splits import (
    count_parts,
    part_mask,
    read_blocks,
    spatial_blocks,
    write_blocks,
)

GRIDS = {
    "utm": GeoBox((101, 67), Affine(30, 0, 300_015, 0, -30, 4_100_025), "EPSG:32612"),
    "south_up": GeoBox((101, 67), Affine(30, 0, 300_015, 0, 30, 4_000_025), "EPSG:32612"),
    "rotated": GeoBox(
        (101, 67),
        Affine.translation(300_015, 4_100_025) * Affine.rotation(27) * Affine.scale(10, -12),
        "EPSG:32612",
    ),
    "geographic": GeoBox((101, 67), Affine(1 / 3600, 0, -112.9, 0, -1 / 3600, 37.4), "EPSG:4326"),
}
SHARES = {"train": 0.5, "val": 0.2, "test": 0.3}
too_few_blocks = pytest.mark.filterwarnings("ignore::sscl_geo.errors.UnevenSplitWarning")


@too_few_blocks
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("size", [1, 16, 67, 101, 500])
def test_every_pixel_is_in_exactly_one_part(grid, size):
    geobox = GRIDS[grid][:9, :7] if size == 1 else GRIDS[grid]
    blocks = spatial_blocks(geobox, size, SHARES, seed=1)
    masks = [part_mask(blocks, geobox, part) for part in blocks["part"].unique()]
    assert (np.sum(masks, axis=0) == 1).all()


def test_blocks_lie_on_whole_pixels():
    geobox = GRIDS["rotated"]
    blocks = spatial_blocks(geobox, 16, SHARES)
    row, col = np.minimum(np.mgrid[:101, :67] // 16, [[[5]], [[3]]])  # narrow rests are joined
    part = blocks.set_index(["row", "col"])["part"]
    expected = part.loc[list(zip(row.ravel(), col.ravel(), strict=True))].to_numpy()
    mask = part_mask(blocks, geobox, "train")
    assert np.array_equal(mask, (expected == "train").reshape(mask.shape))


def test_a_seed_gives_the_same_blocks_and_another_seed_others():
    first, again, other = (spatial_blocks(GRIDS["utm"], 8, SHARES, seed=s) for s in (3, 3, 4))
    assert first["part"].equals(again["part"])
    assert not first["part"].equals(other["part"])


@too_few_blocks
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 5)),
    st.integers(0, 3),
)
@settings(max_examples=40, deadline=None)
def test_parts_get_their_shares_of_the_blocks(rows, cols, shares, seed):
    geobox = GeoBox((rows, cols), Affine(1, 0, 0, 0, -1, 0), "EPSG:32612")
    named = dict(zip(("train", "val", "test"), shares, strict=True))
    counts = spatial_blocks(geobox, 1, named, seed)["part"].value_counts()
    for name, share in named.items():
        assert abs(counts.get(name, 0) - rows * cols * share / sum(shares)) < 1


@pytest.mark.parametrize(("length", "sides"), [(90, [40, 50]), (94, [40, 40, 14]), (9, [9])])
@too_few_blocks
def test_a_rest_narrower_than_a_third_of_a_block_belongs_to_the_last_one(length, sides):
    geobox = GeoBox((length, 40), Affine(1, 0, 0, 0, -1, 0), "EPSG:32612")
    bounds = spatial_blocks(geobox, 40).bounds
    assert (bounds["maxy"] - bounds["miny"]).tolist() == sides


@pytest.mark.parametrize(
    ("shape", "told"),
    [((300, 300), "'train' gets 100% in place of 50%, 'val' gets 0% in place of 10%, 'test'"),
     ((512, 512), "'val' gets 0% in place of 10%; choose smaller blocks"),
     ((1024, 1280), None)],
)  # fmt: skip
def test_parts_that_blocks_are_too_large_for_are_named(shape, told):
    geobox = GeoBox(shape, Affine(1, 0, 0, 0, -1, 0), "EPSG:32612")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnevenSplitWarning)
        spatial_blocks(geobox, 256)
    assert len(caught) == (told is not None)
    assert told is None or f"Blocks of 256 pixels cannot be dealt by the shares: {told}" in str(
        caught[0].message
    )


@pytest.mark.parametrize("grid", GRIDS)
def test_parts_are_counted_in_pixels_of_the_grid(grid):
    geobox = GRIDS[grid]
    labels = np.random.default_rng(0).choice([0, 1, IGNORE_INDEX], geobox.shape).astype(np.uint8)
    blocks = spatial_blocks(geobox, 16, SHARES, labels=labels, buffer=2)
    counts = count_parts(blocks, [*SHARES, "none"], geobox, labels).set_index("part")
    for part in SHARES:
        mask = part_mask(blocks, geobox, part)
        assert counts.loc[part, "blocks"] == (blocks["part"] == part).sum()
        assert counts.loc[part, "pixels"] == mask.sum()
        assert counts.loc[part, "labelled"] == (labels[mask] != IGNORE_INDEX).sum()
    assert counts.loc["none"].tolist() == [0, 0, 0]


def random_labels(seed):
    rng = np.random.default_rng(seed)
    labels = np.full((96, 96), IGNORE_INDEX, np.uint8)
    for k, places in enumerate((200, 40, 6, 1)):
        row, col = rng.integers(0, 96, (2, places))
        labels[row, col] = k
    return labels


@pytest.mark.parametrize("seed", range(5))
def test_the_first_part_gets_every_class(seed):
    geobox = GeoBox((96, 96), Affine(1, 0, 0, 0, -1, 0), "EPSG:32612")
    labels = random_labels(seed)
    blocks = spatial_blocks(geobox, 16, {"train": 0.3, "test": 0.7}, seed, labels)
    held = labels[part_mask(blocks, geobox, "train")]
    assert set(np.unique(labels)) == set(np.unique(held))


@pytest.mark.parametrize("seed", range(5))
def test_a_class_of_several_blocks_reaches_the_other_parts_too(seed):
    geobox = GeoBox((96, 96), Affine(1, 0, 0, 0, -1, 0), "EPSG:32612")
    labels = random_labels(seed)
    blocks = spatial_blocks(geobox, 16, {"train": 0.5, "test": 0.5}, seed, labels)
    held = labels[part_mask(blocks, geobox, "test")]
    assert {0, 1, 2} <= set(np.unique(held))


def test_labels_do_not_change_the_shares():
    geobox = GeoBox((96, 96), Affine(1, 0, 0, 0, -1, 0), "EPSG:32612")
    counts = spatial_blocks(geobox, 8, SHARES, 0, random_labels(0))["part"].value_counts()
    for part, share in SHARES.items():
        assert abs(counts[part] - share * 144) <= 4


def test_a_geopackage_keeps_the_blocks(tmp_path):
    blocks = spatial_blocks(GRIDS["utm"], 16, SHARES)
    again = read_blocks(write_blocks(blocks, tmp_path / "blocks.gpkg"))
    assert again.crs == blocks.crs
    assert np.array_equal(
        part_mask(again, GRIDS["utm"], "test"), part_mask(blocks, GRIDS["utm"], "test")
    )


def test_a_style_that_qgis_saved_beside_the_blocks_is_no_layer_of_them(tmp_path):
    blocks = spatial_blocks(GRIDS["utm"], 16, SHARES)
    path = write_blocks(blocks, tmp_path / "blocks.gpkg")
    style = pd.DataFrame({"f_table_name": ["blocks"], "styleQML": ["<qgis/>"]})
    pyogrio.write_dataframe(style, path, layer="layer_styles")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_blocks(path)["part"].equals(blocks["part"])


def test_several_layers_of_which_none_is_called_blocks_are_refused(tmp_path):
    blocks = spatial_blocks(GRIDS["utm"], 16, SHARES)
    for layer in ("mine", "yours"):
        blocks.to_file(tmp_path / "own.gpkg", layer=layer)
    with pytest.raises(LabelError, match="mine, yours; call the one of the blocks 'blocks'"):
        read_blocks(tmp_path / "own.gpkg")


def test_blocks_in_another_crs_are_reprojected():
    geobox = GRIDS["utm"]
    blocks = spatial_blocks(geobox, 16, SHARES)
    mask = part_mask(blocks.to_crs("EPSG:4326"), geobox, "train")
    assert np.array_equal(mask, part_mask(blocks, geobox, "train"))


def test_a_part_that_is_not_there_is_refused():
    with pytest.raises(LabelError, match="'exam'"):
        part_mask(spatial_blocks(GRIDS["utm"], 16), GRIDS["utm"], "exam")


@pytest.mark.parametrize(("size", "shares"), [(0, SHARES), (8, {"a": -1}), (8, {"a": 0}), (8, {})])
def test_blocks_that_cannot_be_made_are_refused(size, shares):
    with pytest.raises(ConfigError):
        spatial_blocks(GRIDS["utm"], size, shares)


def test_a_file_without_parts_is_refused(tmp_path):
    path = tmp_path / "blocks.gpkg"
    gpd.GeoDataFrame({"a": [1]}, geometry=gpd.points_from_xy([0], [0]), crs=4326).to_file(path)
    with pytest.raises(LabelError, match="'part'"):
        read_blocks(path)


def grown(mask, reach):
    """Pixels within a square of a mask, one shift after the other."""
    height, width = mask.shape
    padded = np.pad(mask, reach)
    shifts = range(2 * reach + 1)
    return np.any([padded[r : r + height, c : c + width] for r in shifts for c in shifts], axis=0)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("buffer", [1, 3])
def test_a_buffer_lies_between_parts_and_is_taken_from_the_earlier_one(grid, buffer):
    geobox = GRIDS[grid]
    whole = spatial_blocks(geobox, 16, SHARES, seed=2)
    kept = spatial_blocks(geobox, 16, SHARES, seed=2, buffer=buffer)
    before = {part: part_mask(whole, geobox, part) for part in SHARES}
    after = {part: part_mask(kept, geobox, part) for part in SHARES}
    late = before["test"]
    assert np.array_equal(after["test"], late)
    assert np.array_equal(after["val"], before["val"] & ~grown(late, buffer))
    late = late | before["val"]
    assert np.array_equal(after["train"], before["train"] & ~grown(late, buffer))
    assert after["train"].any()


def test_a_buffer_that_leaves_nothing_is_refused():
    with pytest.raises(ConfigError, match="leaves nothing of the part 'train'"):
        spatial_blocks(GRIDS["utm"], 16, SHARES, buffer=60)


def test_a_negative_buffer_is_refused():
    with pytest.raises(ConfigError, match="buffer of 0 or more"):
        spatial_blocks(GRIDS["utm"], 16, SHARES, buffer=-1)
