"""Drawing some cells of each view."""

import torch

from sscl_geo.losses.drawn_cells import draw_cells, take_cells


def test_cells_that_count_come_first_and_none_comes_twice() -> None:
    weight = (torch.rand(50, 4, 5) > 0.6).float()
    cells = draw_cells(weight, 8)
    for row, drawn in zip(weight.flatten(1), cells, strict=True):
        assert len(drawn.unique()) == 8
        assert int(row[drawn].sum()) == min(8, int(row.sum()))


def test_every_cell_is_drawn_sometimes() -> None:
    assert len(draw_cells(torch.ones(200, 3, 3), 1).unique()) == 9


def test_small_maps_give_all_their_cells() -> None:
    assert draw_cells(torch.ones(2, 2, 2), 64).shape == (2, 4)


def test_values_are_taken_where_the_cells_are() -> None:
    values, cells = torch.randn(3, 6, 4, 5), draw_cells(torch.ones(3, 4, 5), 7)
    taken = take_cells(values, cells)
    for n in range(3):
        for k in range(7):
            row, col = divmod(int(cells[n, k]), 5)
            assert torch.equal(taken[n, :, k], values[n, :, row, col])
    assert torch.equal(take_cells(values[:, 0], cells), taken[:, 0])
