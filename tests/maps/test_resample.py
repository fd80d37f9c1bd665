import numpy as np
import pytest
from affine import Affine

from sscl_geo.bundle import Bundle
from sscl_geo.errors import SceneError
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.resample import resample


def bundle(size, unit="metre"):
    return Bundle(
        kind="segmenter",
        encoder="resnet18",
        decoder="unet",
        bands=("red", "nir"),
        mean=(0, 0),
        std=(1, 1),
        resolution=(size, size),
        resolution_unit=unit,
        patch_size=64,
        classes=None,
    )


def whole(scene):
    with SceneReader(scene) as reader:
        return reader.read(0, 0, *scene.shape)


def test_a_scene_of_the_right_resolution_is_itself(make_scene, make_pixels):
    scene = open_scene(make_scene(make_pixels(20, 30)))
    assert resample(scene, bundle(30.5)) is scene


@pytest.mark.parametrize("grid", ["utm", "south_up", "rotated"])
@pytest.mark.parametrize("named", [True, False])
def test_larger_pixels_are_averages_of_those_with_data(make_scene, make_pixels, grid, named):
    pixels = make_pixels(60, 90, nodata_corner=True)
    path = make_scene(
        pixels,
        grid=grid,
        transform=None if grid != "rotated" else rotated(30),
        nodata=0,
        descriptions=("red", "nir") if named else None,
    )
    scene = resample(open_scene(path), bundle(90))
    assert scene.shape == (20, 30)
    assert scene.bands == (("red", "nir") if named else ("band_1", "band_2"))
    found = whole(scene)
    blocks = pixels.reshape(2, 20, 3, 30, 3).astype(float)
    has_data = blocks != 0
    count = has_data.sum(axis=(2, 4))
    np.testing.assert_array_equal(found.valid, (count > 0).all(axis=0))
    expected = blocks.sum(axis=(2, 4)) / np.maximum(count, 1)
    np.testing.assert_allclose(found.image[:, found.valid], expected[:, found.valid], atol=0.51)


def rotated(size):
    return Affine.translation(300_015, 4_100_025) @ Affine.rotation(27) @ Affine.scale(size, -size)


def test_smaller_pixels_are_interpolated(make_scene):
    ramp = np.tile(np.arange(40, dtype=np.float32) * 3, (2, 30, 1))
    scene = resample(open_scene(make_scene(ramp)), bundle(10))
    assert scene.shape == (90, 120)
    inside = whole(scene).image[0, 5:-5, 5:-5]
    np.testing.assert_allclose(inside, np.tile(np.arange(120) - 1, (90, 1))[5:-5, 5:-5], atol=1e-4)


def test_degrees_are_brought_to_the_utm_zone(make_scene, make_pixels):
    scene = open_scene(make_scene(make_pixels(80, 90), grid="geographic"))
    warped = resample(scene, bundle(30))
    assert warped.crs.epsg == 32612
    assert warped.pixel_size == pytest.approx((30, 30))
    patch = whole(warped)
    assert 0.9 < patch.valid.mean() < 1
    assert patch.image[:, patch.valid].mean() == pytest.approx(whole(scene).image.mean(), rel=0.03)


@pytest.mark.parametrize(
    ("crs", "unit"), [("EPSG:2264", "US survey foot"), ("EPSG:4326", "degrees_north")]
)
def test_units_are_the_same_however_bundles_spell_them(make_scene, make_pixels, crs, unit):
    path = make_scene(make_pixels(20, 30), crs=crs, transform=Affine(1e-3, 0, 9, 0, -1e-3, 50))
    assert resample(open_scene(path), bundle(2e-3, unit)).shape == (10, 15)


def test_there_is_no_way_from_metres_to_degrees(make_scene, make_pixels):
    scene = open_scene(make_scene(make_pixels(8, 9)))
    with pytest.raises(SceneError, match="degree"):
        resample(scene, bundle(0.001, "degree"))


def test_any_window_of_a_resampled_scene_is_that_of_the_whole(make_scene, make_pixels):
    scene = resample(open_scene(make_scene(make_pixels(300, 310))), bundle(20))
    image = whole(scene).image
    with SceneReader(scene) as reader:
        part = reader.read(111, 203, 140, 150).image
    np.testing.assert_array_equal(part, image[:, 111:251, 203:353])
