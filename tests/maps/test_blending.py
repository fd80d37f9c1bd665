import numpy as np
import pytest
import torch

from sscl_geo.maps.blending import TileBlender
from sscl_geo.maps.tiles import TilePlan


def blend(plan, tile_at, channels, columns=None, left_out=()):
    columns = columns or plan.whole
    blender = TileBlender(plan, channels, columns=columns)
    found = torch.full((channels, plan.shape[0], columns.width), torch.nan)
    for i in range(len(plan.rows)):
        for j in range(columns.first, columns.stop):
            if (i, j) not in left_out:
                for row, col, values in blender.add(i, j, tile_at(i, j)):
                    top = plan.rows.finished(i)[0] + row
                    bottom, right = top + values.shape[1], col + values.shape[2]
                    found[:, top:bottom, col:right] = values
    return found.numpy()


def window(plan, field, i, j):
    """Tile (i, j) cut out of a field (classes, height, width), garbage beyond the scene."""
    rows = np.arange(plan.tile) + plan.rows.starts[i]
    cols = np.arange(plan.tile) + plan.cols.starts[j]
    height, width = plan.shape
    tile = field[:, np.clip(rows, 0, height - 1)][:, :, np.clip(cols, 0, width - 1)].copy()
    tile[:, (rows < 0) | (rows >= height)] = np.nan
    tile[:, :, (cols < 0) | (cols >= width)] = np.nan
    return torch.from_numpy(tile)


@pytest.mark.parametrize("overlap", [0, 0.1, 0.25, 0.5])
@pytest.mark.parametrize("shape", [(1, 1), (63, 65), (64, 64), (101, 211)])
def test_tiles_that_agree_give_the_field_back(shape, overlap):
    plan = TilePlan(shape, tile=64, margin=8, overlap=overlap, stride=4)
    field = np.random.default_rng(0).random((3, *shape), dtype=np.float32)
    blended = blend(plan, lambda i, j: window(plan, field, i, j), 3)
    np.testing.assert_allclose(blended, field, rtol=1e-5)


def test_tiles_that_differ_are_averaged_as_in_float64_over_the_whole_scene():
    plan = TilePlan((151, 97), tile=48, margin=5, overlap=0.4)
    generator = torch.Generator().manual_seed(0)
    tiles = {
        (i, j): torch.rand((2, 48, 48), generator=generator)
        for i in range(len(plan.rows))
        for j in range(len(plan.cols))
    }
    sums, weights = np.zeros((2, 151, 97)), np.zeros((151, 97))
    for (i, j), tile in tiles.items():
        (top, bottom), (left, right) = plan.rows.span(i), plan.cols.span(j)
        weight = np.outer(plan.rows.weights[i], plan.cols.weights[j]).astype(np.float64)
        row, col = top - plan.rows.starts[i], left - plan.cols.starts[j]
        core = tile.numpy()[:, row : row + bottom - top, col : col + right - left]
        sums[:, top:bottom, left:right] += core * weight
        weights[top:bottom, left:right] += weight
    blended = blend(plan, lambda i, j: tiles[i, j], 2)
    np.testing.assert_allclose(blended, sums / weights, atol=1e-6)


def test_pixels_that_no_left_out_tile_sees_come_out_the_same():
    plan = TilePlan((170, 200), tile=48, margin=4, overlap=0.5)
    generator = torch.Generator().manual_seed(1)
    out = torch.rand((len(plan.rows), len(plan.cols)), generator=generator) > 0.8
    tiles = torch.rand((len(plan.rows), len(plan.cols), 1, 48, 48), generator=generator)
    untouched = np.ones(plan.shape, bool)
    for i, j in out.nonzero().tolist():
        untouched[slice(*plan.rows.span(i)), slice(*plan.cols.span(j))] = False
    assert 0.1 < untouched.mean() < 0.9
    left_out = set(map(tuple, out.nonzero().tolist()))
    found = blend(plan, lambda i, j: tiles[i, j], 1, left_out=left_out)
    whole = blend(plan, lambda i, j: tiles[i, j], 1)
    np.testing.assert_array_equal(found[:, untouched], whole[:, untouched])


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_parts_of_a_scene_together_are_the_whole(parts):
    plan = TilePlan((90, 400), tile=48, margin=4, overlap=0.4, stride=8)
    generator = torch.Generator().manual_seed(2)
    tiles = torch.rand((len(plan.rows), len(plan.cols), 2, 48, 48), generator=generator)
    whole = blend(plan, lambda i, j: tiles[i, j], 2)
    assert [c.begin for c in plan.cut(parts)[1:]] == [c.end for c in plan.cut(parts)[:-1]]
    found = [blend(plan, lambda i, j: tiles[i, j], 2, columns) for columns in plan.cut(parts)]
    np.testing.assert_array_equal(np.concatenate(found, axis=2), whole)


def test_three_tiles_may_meet_in_a_pixel():
    plan = TilePlan((300, 290), tile=80, margin=0, overlap=0.5, stride=16)
    assert plan.rows.step < plan.rows.core / 2
    field = np.random.default_rng(0).random((3, *plan.shape), dtype=np.float32)
    blended = blend(plan, lambda i, j: window(plan, field, i, j), 3)
    np.testing.assert_allclose(blended, field, rtol=1e-5)


def test_memory_does_not_depend_on_the_height():
    low = TileBlender(TilePlan((1_010, 50), tile=64, margin=8), 2)
    high = TileBlender(TilePlan((36_000 + 1_010, 50), tile=64, margin=8), 2)
    assert low._below.shape == high._below.shape
    assert low._sums.shape == high._sums.shape
