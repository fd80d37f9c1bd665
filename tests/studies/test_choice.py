from itertools import pairwise

import numpy as np
import pytest

from sscl_geo.errors import ConfigError
from sscl_geo.studies.choice import choose_patches, read_named_patches
from sscl_geo.studies.patch_grid import PatchGrid
from sscl_geo.studies.potsdam import POTSDAM

GRIDS = [PatchGrid((6000, 6000), 256)] * 24
TILES = POTSDAM.sources[0].names


@pytest.fixture(scope="module")
def named():
    return read_named_patches(POTSDAM.named_patches)


@pytest.fixture(scope="module")
def by_place(named):
    return {place: named[name] for place, name in enumerate(TILES)}


def touches(grids, a, b):
    return a.tile == b.tile and b.number in grids[a.tile].around(a.number)


def test_the_list_names_138_patches_of_the_training_tiles(named):
    assert sum(len(set(numbers)) for numbers in named.values()) == 138
    assert set(named) == set(TILES)
    assert all(1 <= n <= 576 for numbers in named.values() for n in numbers)


def test_one_percent_of_potsdam_are_the_named_patches_for_every_seed(by_place):
    wanted = {(t, n) for t, numbers in by_place.items() for n in numbers}
    for seed in (0, 1):
        choice = choose_patches(GRIDS, 0.01, 0.01, seed=seed, named=by_place)
        assert set(choice.labelled) == wanted
        assert choice.named


def test_validation_patches_touch_no_labelled_one(by_place):
    for share in (0.01, 0.1):
        choice = choose_patches(GRIDS, share, 0.01, named=by_place)
        assert len(choice.validation) == 138
        labelled = set(choice.labelled)
        near = {(v.tile, n) for v in choice.validation for n in GRIDS[v.tile].around(v.number)}
        assert not labelled & near


def test_validation_is_the_same_for_every_seed_and_share(by_place):
    first = choose_patches(GRIDS, 0.01, 0.01, named=by_place).validation
    assert choose_patches(GRIDS, 0.1, 0.01, seed=3, named=by_place).validation == first


def test_smaller_shares_lie_inside_larger_ones(by_place):
    chosen = [
        set(choose_patches(GRIDS, share, 0.01, seed=2, named=by_place).labelled)
        for share in (0.005, 0.01, 0.05, 0.1)
    ]
    assert [len(c) for c in chosen] == [69, 138, 691, 1382]
    assert all(a < b for a, b in pairwise(chosen))


def test_a_larger_share_is_not_called_named(by_place):
    assert not choose_patches(GRIDS, 0.05, 0.01, named=by_place).named


def test_all_labels_are_all_that_touch_no_validation_patch():
    grids = [PatchGrid((100, 160), 20)] * 3
    choice = choose_patches(grids, 1, 0.02)
    assert len(choice.validation) == 2
    near = {(v.tile, n) for v in choice.validation for n in grids[v.tile].around(v.number)}
    assert len(choice.labelled) == 3 * 40 - len(near)


def test_without_a_list_seeds_draw_others():
    grids = [PatchGrid((100, 160), 20)] * 3
    draws = [choose_patches(grids, 0.1, 0.1, seed=s) for s in (0, 0, 1)]
    assert draws[0] == draws[1]
    assert draws[0].labelled != draws[2].labelled
    assert not draws[0].named


def test_draws_are_spread_over_all_tiles():
    grids = [PatchGrid((100, 100), 10)] * 4
    drawn = choose_patches(grids, 0.5, 0.01).labelled
    counts = np.bincount([place.tile for place in drawn])
    assert counts.min() > 30


@pytest.mark.parametrize("shares", [(0, 0.1), (1.1, 0.1), (0.1, 0), (0.1, 1)])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(ConfigError, match="impossible"):
        choose_patches(GRIDS, *shares)


def test_one_labelled_patch_is_too_few_for_batch_normalisation():
    with pytest.raises(ConfigError, match="1 would be labelled"):
        choose_patches([PatchGrid((100, 100), 10)], 0.01, 0.01)


def test_a_tile_that_is_too_small_for_both_is_refused():
    with pytest.raises(ConfigError, match="4 patches 0 would be labelled and 1"):
        choose_patches([PatchGrid((40, 40), 20)], 0.5, 0.25)
