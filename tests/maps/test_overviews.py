import numpy as np
import pytest
import rasterio

from sscl_geo.io.scene import open_scene
from sscl_geo.maps.overviews import average, most_frequent
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


def test_means_are_taken_among_pixels_with_data():
    four = [np.array(v, np.float16) for v in ([1, np.nan], [2, np.nan], [3, np.nan], [np.nan] * 2)]
    np.testing.assert_array_equal(average(four, np.nan), [2, np.nan])


def test_overviews_of_probabilities_in_float16_are_means(
    make_scene, make_pixels, constant, tmp_path
):
    scene = open_scene(make_scene(make_pixels(700, 40)))
    network = constant((0.2, 0.5, 0.3))
    made = segment(scene, network, tmp_path / "map.tif", layers=["probabilities16"])
    with rasterio.open(made.layers["probabilities16"], overview_level=0) as overview:
        assert overview.shape == (350, 20)
        expected = np.float16([0.2, 0.5, 0.3])[:, None, None]
        np.testing.assert_array_equal(overview.read(), np.broadcast_to(expected, (3, 350, 20)))
