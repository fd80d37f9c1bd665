import numpy as np
import pytest
from shapely import box

from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.interest import Interest
from sscl_geo.maps.strips import read_strips
from sscl_geo.maps.tiles import TilePlan


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (47, 48), (49, 31), (101, 167)])
@pytest.mark.parametrize("stride", [1, 16])
@pytest.mark.parametrize("parts", [1, 2])
def test_tiles_are_windows_of_the_mirrored_scene(make_scene, make_pixels, shape, stride, parts):
    pixels = make_pixels(*shape, nodata_corner=True)
    scene = open_scene(make_scene(pixels, nodata=0))
    plan = TilePlan(shape, tile=48, margin=7, overlap=0.3, stride=stride)
    pad = [(-a.starts[0], max(a.starts[-1] + 48 - a.size, 0)) for a in (plan.rows, plan.cols)]
    image = np.pad(pixels, [(0, 0), *pad], mode="reflect")
    valid = np.pad((pixels != 0).all(axis=0), pad, mode="reflect")
    for columns in plan.cut(min(parts, len(plan.cols))):
        for i, strip in enumerate(read_strips(scene, plan, columns=columns)):
            top = plan.rows.starts[i] + pad[0][0]
            begin, end = plan.rows.finished(i)
            whole = (pixels != 0).all(axis=0)[begin:end, columns.begin : columns.end]
            np.testing.assert_array_equal(strip.finished, whole)
            tiles, masks = strip.tiles(range(columns.first, columns.stop))
            for j, tile, mask in zip(range(columns.first, columns.stop), tiles, masks, strict=True):
                left = plan.cols.starts[j] + pad[1][0]
                window = np.s_[top : top + 48, left : left + 48]
                np.testing.assert_array_equal(mask, valid[window])
                np.testing.assert_array_equal(tile, np.where(mask, image[:, *window], 0))


@pytest.fixture
def windows_read(monkeypatch):
    """(rows, columns) of every window that is read."""
    read, windows = SceneReader.read_raw, []

    def spy(self, row, col, height, width, out=None):
        windows.append((range(row, row + height), range(col, col + width)))
        return read(self, row, col, height, width, out)

    monkeypatch.setattr(SceneReader, "read_raw", spy)
    return windows


def test_every_row_is_read_once(make_scene, make_pixels, windows_read):
    scene = open_scene(make_scene(make_pixels(211, 20)))
    list(read_strips(scene, TilePlan((211, 20), tile=64, margin=9, overlap=0.5)))
    assert [row for rows, _ in windows_read for row in rows] == list(range(211))


def test_what_no_tile_of_the_area_sees_is_not_read(make_scene, make_pixels, windows_read):
    scene = open_scene(make_scene(make_pixels(400, 600)))
    plan = TilePlan((400, 600), tile=64, margin=8, overlap=0.25)
    x, y = scene.geobox.affine * (200.0, 150.0)
    interest = Interest(box(x, y - 30 * 30, x + 40 * 30, y), scene, plan)
    strips = list(read_strips(scene, plan, interest=interest))
    read = [(r, c) for rows, cols in windows_read for r in (rows[0], rows[-1]) for c in cols]
    assert min(r for r, _ in read) >= 150 - 2 * 64
    assert max(r for r, _ in read) < 180 + 2 * 64
    assert min(c for _, c in read) >= 200 - 64
    assert max(c for _, c in read) < 240 + 64
    finished = np.concatenate([strip.finished for strip in strips])
    expected = np.zeros((400, 600), bool)
    expected[150:180, 200:240] = True
    np.testing.assert_array_equal(finished, expected)
