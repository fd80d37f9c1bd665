import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.features import shapes, sieve
from scipy.ndimage import generic_filter
from shapely.geometry import shape

from sscl_geo.classes import ClassTable
from sscl_geo.errors import ConfigError
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.layers import class_layer
from sscl_geo.maps.postprocess import PostProcessing, majority
from sscl_geo.maps.raw import RawRaster
from sscl_geo.maps.segment import segment

CLASSES = ClassTable.from_values([1, 4, 7])
GRID = GeoBox((600, 90), Affine(100, 0, 300_000, 0, -100, 4_000_000), "EPSG:32612")


@pytest.fixture
def values():
    generator = np.random.default_rng(0)
    coarse = generator.choice([1, 4, 7], (60, 9)).repeat(10, axis=0).repeat(10, axis=1)
    noisy = np.where(
        generator.random((600, 90)) < 0.2, generator.choice([1, 4, 7], (600, 90)), coarse
    )
    noisy[:40, :30] = 255
    return noisy.astype(np.uint8)


@pytest.fixture
def raster(values, tmp_path):
    raw = RawRaster(tmp_path / "classes.raw", class_layer(CLASSES), values.shape)
    raw.write(0, 0, values[None])
    return raw


def most_frequent(window):
    """Brute force: the centre wins a tie, then the first class; no data has no vote."""
    centre = window[len(window) // 2]
    if centre == 255:
        return 255
    votes = [((window == v).sum() + 0.5 * (v == centre), -v) for v in (1, 4, 7)]
    return -max(votes)[1]


@pytest.mark.parametrize("side", [3, 5])
def test_majority_is_that_of_brute_force(values, side):
    expected = generic_filter(values, most_frequent, size=side, mode="constant", cval=255)
    np.testing.assert_array_equal(majority(values, (1, 4, 7), side, 255), expected)


def test_majority_has_no_seams_between_bands_of_rows(values, raster):
    filtered = PostProcessing(majority=7).apply(raster, CLASSES, GRID).read(0, 600)[:, 0]
    np.testing.assert_array_equal(filtered, majority(values, (1, 4, 7), 7, 255))


def smallest_region(values):
    """Pixels of the smallest region, traced by GDAL."""
    return min(shape(s).area for s, v in shapes(values, connectivity=4) if v != 255)


@pytest.mark.parametrize("smallest", [2, 9, 60])
def test_no_region_is_smaller_than_the_sieve(values, raster, smallest):
    assert smallest_region(values) == 1
    sieved = PostProcessing(sieve=smallest).apply(raster, CLASSES, GRID).read(0, 600)[:, 0]
    assert smallest_region(sieved) >= smallest
    np.testing.assert_array_equal(sieved == 255, values == 255)


def test_one_pass_of_the_sieve_is_gdals(raster, values, monkeypatch):
    monkeypatch.setattr("sscl_geo.maps.postprocess._PASSES", 1)
    sieved = PostProcessing(sieve=9).apply(raster, CLASSES, GRID).read(0, 600)[:, 0]
    np.testing.assert_array_equal(sieved, sieve(values, 9, mask=values != 255))


def test_a_sieve_larger_than_the_map_leaves_it_alone(raster, values):
    sieved = PostProcessing(sieve=10**9).apply(raster, CLASSES, GRID).read(0, 600)[:, 0]
    np.testing.assert_array_equal(sieved, values)


def test_what_was_computed_is_not_changed(raster, values):
    PostProcessing(sieve=60).apply(raster, CLASSES, GRID)
    np.testing.assert_array_equal(raster.read(0, 600)[:, 0], values)


def test_the_smallest_area_is_in_hectares_of_ground(raster):
    in_pixels = PostProcessing(sieve=9).apply(raster, CLASSES, GRID).read(0, 600)
    in_hectares = PostProcessing(minimum_area=8.9).apply(raster, CLASSES, GRID).read(0, 600)
    np.testing.assert_array_equal(in_pixels, in_hectares)


def test_a_map_is_tidied_before_its_areas_are_counted(
    make_scene, make_pixels, convolution, read, tmp_path
):
    scene = open_scene(make_scene(make_pixels(120, 130)))
    plain = read(segment(scene, convolution, tmp_path / "a.tif", tile=128).class_map)
    post = PostProcessing(majority=3, sieve=20)
    made = segment(scene, convolution, tmp_path / "b.tif", tile=128, post=post)
    values = convolution.classes.values
    expected = sieve(majority(plain, values, 3, 255), 20)
    while (again := sieve(expected, 20)).tolist() != expected.tolist():
        expected = again
    np.testing.assert_array_equal(read(made.class_map), expected)
    assert f"<F>{(expected == 3).sum()}</F>" in made.attributes.read_text()


@pytest.mark.parametrize(
    "wrong", [{"majority": 2}, {"majority": 0}, {"sieve": -1}, {"minimum_area": float("nan")}]
)
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(ConfigError, match="choose"):
        PostProcessing(**wrong)
