import numpy as np
import pytest
import rasterio

from sscl_geo.io.scene import open_scene
from sscl_geo.maps.overviews import most_frequent
from sscl_geo.maps.segment import segment


def test_most_frequent_value_wins_and_nodata_has_no_vote():
    four = [
        np.array(v, np.uint8)
        for v in ([1, 5, 9, 9, 9], [2, 6, 9, 1, 9], [2, 5, 9, 9, 3], [1, 7, 9, 9, 4])
    ]
    assert most_frequent(four, 9).tolist() == [1, 5, 9, 1, 3]


@pytest.mark.parametrize("size", [(512, 40), (513, 40), (700, 1301), (2049, 30)])
def test_each_level_is_half_as_large_until_one_block_holds_it(
    make_scene, make_pixels, constant, tmp_path, size
):
    scene = open_scene(make_scene(make_pixels(*size)))
    made = segment(scene, constant((0.2, 0.5, 0.3)), tmp_path / "map.tif")
    with rasterio.open(made.class_map) as full:
        levels = len(full.overviews(1))
    shape = size
    for level in range(levels):
        assert max(shape) > 512
        shape = -(-shape[0] // 2), -(-shape[1] // 2)
        with rasterio.open(made.class_map, overview_level=level) as overview:
            assert overview.shape == shape
            assert (overview.read(1) == 1).all()
    assert max(shape) <= 512
