import numpy as np
import pytest

from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.strips import read_strips
from sscl_geo.maps.tiles import TilePlan


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (47, 48), (49, 31), (101, 67)])
@pytest.mark.parametrize("stride", [1, 16])
def test_strips_are_windows_of_the_mirrored_scene(make_scene, make_pixels, shape, stride):
    pixels = make_pixels(*shape, nodata_corner=True)
    scene = open_scene(make_scene(pixels, nodata=0))
    plan = TilePlan(shape, tile=48, margin=7, overlap=0.3, stride=stride)
    pad = [(-a.starts[0], a.starts[-1] + 48 - a.size) for a in (plan.rows, plan.cols)]
    image = np.pad(pixels, [(0, 0), *pad], mode="reflect")
    valid = np.pad((pixels != 0).all(axis=0), pad, mode="reflect")
    for i, strip in enumerate(read_strips(scene, plan)):
        rows = slice(plan.rows.starts[i] + pad[0][0], plan.rows.starts[i] + pad[0][0] + 48)
        assert strip.index == i
        np.testing.assert_array_equal(strip.image, image[:, rows])
        np.testing.assert_array_equal(strip.valid, valid[rows])
        begin, end = plan.rows.finished(i)
        np.testing.assert_array_equal(strip.finished, (pixels != 0).all(axis=0)[begin:end])


def test_every_row_is_read_once(make_scene, make_pixels, monkeypatch):
    scene = open_scene(make_scene(make_pixels(211, 20)))
    read, rows = SceneReader.read, []

    def spy(self, row, col, height, width):
        rows.extend(range(row, row + height))
        return read(self, row, col, height, width)

    monkeypatch.setattr(SceneReader, "read", spy)
    list(read_strips(scene, TilePlan((211, 20), tile=64, margin=9, overlap=0.5)))
    assert rows == list(range(211))
