import numpy as np
import pytest

from sscl_geo.errors import ConfigError
from sscl_geo.studies.patch_grid import PatchGrid


@pytest.mark.parametrize("shape", [(1, 1), (63, 64), (64, 65), (130, 67)])
@pytest.mark.parametrize("order", ["row", "column"])
def test_patches_cover_every_pixel_once(shape, order):
    grid = PatchGrid(shape, 32, order)
    seen = np.zeros(shape, int)
    for number in range(1, len(grid) + 1):
        row, col = grid.origin(number)
        seen[row : row + 32, col : col + 32] += 1
    assert (seen == 1).all()


def test_a_tile_of_potsdam_has_the_patches_of_the_protocol():
    grid = PatchGrid((6000, 6000), 256)
    assert grid.counts == (24, 24)
    assert 24 * len(grid) == 13_824
    assert 14 * len(grid) == 8_064


def test_numbers_run_along_rows_or_along_columns():
    assert PatchGrid((64, 96), 32).place(2) == (0, 1)
    assert PatchGrid((64, 96), 32, "column").place(2) == (1, 0)


@pytest.mark.parametrize("order", ["row", "column"])
def test_a_number_is_that_of_its_place(order):
    grid = PatchGrid((70, 100), 32, order)
    numbers = range(1, len(grid) + 1)
    assert [grid.number(*grid.place(n)) for n in numbers] == list(numbers)


def test_patches_around_are_those_that_touch():
    grid = PatchGrid((96, 128), 32)
    assert sorted(grid.around(6)) == [1, 2, 3, 5, 6, 7, 9, 10, 11]
    assert sorted(grid.around(1)) == [1, 2, 5, 6]


@pytest.mark.parametrize("number", [0, 13])
def test_a_number_beyond_the_tile_is_refused(number):
    with pytest.raises(ConfigError, match="1 to 12"):
        PatchGrid((96, 128), 32).origin(number)


def test_a_patch_without_size_is_refused():
    with pytest.raises(ConfigError):
        PatchGrid((10, 10), 0)
