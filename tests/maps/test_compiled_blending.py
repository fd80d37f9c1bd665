import errno

import numba
import numpy as np
import pytest
import rasterio
import torch

from sscl_geo.errors import OutputError
from sscl_geo.io.scene import open_scene
from sscl_geo.maps import compiling, kernels, steps
from sscl_geo.maps.blending import TileBlender
from sscl_geo.maps.compiled_blending import CompiledBlender, load_machine_code
from sscl_geo.maps.segment import segment
from sscl_geo.maps.tiles import TilePlan
from sscl_geo.models.predictor import Predictor

TILE = 64


def softmax(values):
    return values.softmax(dim=-3)


def blend(blender, tile_at, channels, dtype=torch.float32, left_out=()):
    plan, columns = blender.plan, blender.columns
    found = torch.zeros((channels, plan.shape[0], columns.width), dtype=dtype)
    for i in range(len(plan.rows)):
        for j in range(columns.first, columns.stop):
            if (i, j) not in left_out:
                for row, col, values in blender.add(i, j, tile_at(i, j)):
                    top = plan.rows.finished(i)[0] + row
                    bottom, right = top + values.shape[1], col + values.shape[2]
                    found[:, top:bottom, col:right] = values
    return found.numpy()


def random_tiles(plan, channels, spread=4.0):
    generator = torch.Generator().manual_seed(len(plan) + channels)
    shape = len(plan.rows), len(plan.cols), channels, plan.tile, plan.tile
    tiles = torch.randn(shape, generator=generator) * spread
    return lambda i, j: tiles[i, j]


def in_float64(plan, tile_at, channels):
    """Weighted mean of the tiles' probabilities, over the whole scene."""
    sums = np.zeros((channels, *plan.shape))
    for i in range(len(plan.rows)):
        for j in range(len(plan.cols)):
            (top, bottom), (left, right) = plan.rows.span(i), plan.cols.span(j)
            row, col = top - plan.rows.starts[i], left - plan.cols.starts[j]
            core = tile_at(i, j).double().softmax(dim=0).numpy()
            core = core[:, row : row + bottom - top, col : col + right - left]
            weight = np.outer(plan.rows.weights[i], plan.cols.weights[j]).astype(np.float64)
            sums[:, top:bottom, left:right] += core * weight
    return sums


def test_exponential_is_that_of_float64_to_a_unit_in_the_last_place():
    x = np.concatenate([np.linspace(-5, 0, 20_001), np.linspace(-86, 0, 20_001)])
    found = np.array([kernels.exponential(value) for value in x.astype(np.float32)])
    expected = np.exp(x.astype(np.float32).astype(np.float64))
    np.testing.assert_allclose(found, expected, atol=1e-7, rtol=2e-6)


def test_exponential_of_minus_infinity_is_next_to_nothing():
    assert 0 <= kernels.exponential(np.float32(-np.inf)) < 1e-37


@pytest.mark.parametrize("shape", [(1, 1), (63, 65), (64, 64), (1, 131), (101, 211), (200, 67)])
@pytest.mark.parametrize(("margin", "overlap"), [(0, 0), (0, 0.25), (8, 0.1), (5, 0.5)])
def test_probabilities_are_those_of_float64(shape, margin, overlap):
    plan = TilePlan(shape, TILE, margin, overlap)
    tiles = random_tiles(plan, 3)
    found = blend(CompiledBlender(plan, 3, activation="softmax"), tiles, 3)
    np.testing.assert_allclose(found, in_float64(plan, tiles, 3), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 8, 9, 11])
def test_the_index_is_that_of_the_largest_probability(channels):
    plan = TilePlan((151, 197), TILE, margin=3, overlap=0.3)
    tiles = random_tiles(plan, channels)
    blender = CompiledBlender(plan, channels, activation="softmax", index_only=True)
    found = blend(blender, tiles, 1, torch.uint8)[0]
    expected = in_float64(plan, tiles, channels)
    best = np.sort(expected, axis=0)
    tie = best[-1] - best[-2] < 1e-5 if channels > 1 else np.zeros(plan.shape, bool)
    assert tie.mean() < 0.01
    np.testing.assert_array_equal(found[~tie], expected.argmax(axis=0)[~tie])


def test_indexes_beyond_255_are_uint16():
    plan = TilePlan((40, 40), 32, margin=0, overlap=0.25)
    tiles = random_tiles(plan, 300)
    blender = CompiledBlender(plan, 300, activation="softmax", index_only=True)
    found = blend(blender, tiles, 1, torch.uint16)[0]
    expected = in_float64(plan, tiles, 300)
    assert found.max() > 255
    assert (found == expected.argmax(axis=0)).mean() > 0.999


def test_the_first_of_equals_is_shown():
    plan = TilePlan((100, 100), TILE, margin=0, overlap=0.25)
    tile = torch.tensor([0.0, 2, 1, 2, 2, 2, 2])[:, None, None].expand(-1, TILE, TILE)
    blender = CompiledBlender(plan, 7, activation="softmax", index_only=True)
    assert np.unique(blend(blender, lambda *_: tile, 1, torch.uint8)).tolist() == [1]


@pytest.mark.parametrize(
    ("activation", "activate"), [("softmax", softmax), ("sigmoid", torch.sigmoid), (None, None)]
)
def test_values_are_those_of_pytorch(activation, activate):
    plan = TilePlan((150, 170), TILE, margin=4, overlap=0.4)
    tiles = random_tiles(plan, 5, spread=20)
    found = blend(CompiledBlender(plan, 5, activation=activation), tiles, 5)
    expected = blend(TileBlender(plan, 5, activate=activate), tiles, 5)
    np.testing.assert_allclose(found, expected, atol=1e-5 if activate is None else 1e-6)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", [0, 3, [0, 1, 2, 3]])
def test_special_logits_are_taken_as_pytorch_takes_them(special, channel):
    plan = TilePlan((150, 170), TILE, margin=4, overlap=0.3)
    clean = random_tiles(plan, 4)
    odd = torch.rand((TILE, TILE), generator=torch.Generator().manual_seed(0)) > 0.9

    def tiles(i, j):
        tile = clean(i, j).clone()
        tile[channel] = torch.where(odd, special, tile[channel])
        return tile

    found = blend(CompiledBlender(plan, 4, activation="softmax"), tiles, 4)
    expected = blend(TileBlender(plan, 4, activate=softmax), tiles, 4)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    blenders = (
        CompiledBlender(plan, 4, activation="softmax", index_only=True),
        TileBlender(plan, 4, activate=softmax, index_only=True),
    )
    index, same = (blend(blender, tiles, 1, torch.uint8) for blender in blenders)
    assert (index == same).mean() > 0.9999


@pytest.mark.parametrize("index_only", [False, True])
def test_parts_of_a_scene_together_are_the_whole(index_only):
    plan = TilePlan((90, 400), 48, margin=4, overlap=0.4, stride=8)
    tiles = random_tiles(plan, 3)
    count, dtype = (1, torch.uint8) if index_only else (3, torch.float32)

    def compute(columns):
        blender = CompiledBlender(plan, 3, columns, "softmax", index_only=index_only)
        return blend(blender, tiles, count, dtype)

    found = [compute(columns) for columns in plan.cut(3)]
    np.testing.assert_array_equal(np.concatenate(found, axis=2), compute(plan.whole))


def test_pixels_that_no_left_out_tile_sees_come_out_the_same():
    plan = TilePlan((170, 200), 48, margin=4, overlap=0.5)
    out = {(0, 1), (2, 2), (3, 0)}
    untouched = np.ones(plan.shape, bool)
    for i, j in out:
        untouched[slice(*plan.rows.span(i)), slice(*plan.cols.span(j))] = False
    tiles = random_tiles(plan, 2)
    found, whole = (
        blend(CompiledBlender(plan, 2, activation="softmax"), tiles, 2, left_out=left_out)
        for left_out in (out, ())
    )
    np.testing.assert_array_equal(found[:, untouched], whole[:, untouched])


def test_three_tiles_may_meet_in_a_pixel():
    plan = TilePlan((300, 290), tile=80, margin=0, overlap=0.5, stride=16)
    assert plan.rows.step < plan.rows.core / 2
    tiles = random_tiles(plan, 3)
    found = blend(CompiledBlender(plan, 3, activation="softmax"), tiles, 3)
    np.testing.assert_allclose(found, in_float64(plan, tiles, 3), atol=1e-6)


def test_tiles_may_lie_in_memory_in_any_order():
    plan = TilePlan((100, 120), TILE, margin=4, overlap=0.25)
    tiles = random_tiles(plan, 3)
    last = CompiledBlender(plan, 3, activation="softmax")
    found = blend(last, lambda i, j: tiles(i, j).permute(1, 2, 0).contiguous().permute(2, 0, 1), 3)
    first = CompiledBlender(plan, 3, activation="softmax")
    np.testing.assert_array_equal(found, blend(first, tiles, 3))


def test_no_folder_to_keep_machine_code_in_is_no_error(monkeypatch):
    compiler = numba.njit

    def without_folder(*args, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compiler(*args, **options)

    monkeypatch.setattr(numba, "njit", without_folder)
    double = compiling.compiled(lambda x: 2 * x)
    assert double(3) == 6


def test_a_full_disk_for_machine_code_is_told(monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kernels, "blend_rows", fail)
    with pytest.raises(OutputError, match=r"No space left on device; .* NUMBA_CACHE_DIR"):
        load_machine_code(2, "uint8")


@pytest.mark.parametrize("names", [(), ("confidence", "probabilities")])
def test_maps_of_large_scenes_are_those_of_small_ones(
    make_scene, make_pixels, convolution, tmp_path, monkeypatch, names
):
    path = make_scene(make_pixels(301, 211, nodata_corner=True))
    torch.manual_seed(3)
    network = torch.nn.Conv2d(2, 3, 5, padding=2)
    table = convolution.classes
    predictor = Predictor(network, (200.0,) * 2, (100.0,) * 2, convolution.bands, table, 1).eval()
    found = {}
    for least in (0, 10**9):
        monkeypatch.setattr(steps, "COMPILED_FROM", least)
        products = segment(
            open_scene(path), predictor, tmp_path / f"{least}.tif", tile=64, layers=names
        )
        found[least] = []
        for raster in (products.class_map, *products.layers.values()):
            with rasterio.open(raster) as source:
                found[least].append(source.read().astype(int))
    for compiled, plain in zip(*found.values(), strict=True):
        assert np.abs(compiled - plain).max() <= (1 if names else 0)
        assert (compiled == plain).mean() > 0.999
