import pytest

from sscl_geo.bundle import Bundle
from sscl_geo.errors import BundleError
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.resolution import check_resolution


def bundle(width, height, unit="metre"):
    return Bundle(
        kind="segmenter",
        encoder="resnet18",
        decoder="unet",
        bands=("a", "b"),
        mean=(0, 0),
        std=(1, 1),
        resolution=(width, height),
        resolution_unit=unit,
        patch_size=64,
        classes=None,
    )


def test_pixels_within_five_percent_pass(make_scene, make_pixels):
    scene = open_scene(make_scene(make_pixels(4, 4)))
    check_resolution(bundle(28.6, 31.4), scene)
    check_resolution(bundle(30, 30, "meter"), scene)


def test_a_rotated_grid_has_the_true_size_of_its_pixels(make_scene, make_pixels):
    check_resolution(bundle(10, 12), open_scene(make_scene(make_pixels(4, 4), grid="rotated")))


@pytest.mark.parametrize("size", [(28, 30), (30, 32), (10, 10)])
def test_other_pixel_sizes_are_refused_with_both_sizes(make_scene, make_pixels, size):
    scene = open_scene(make_scene(make_pixels(4, 4)))
    with pytest.raises(BundleError, match=r"30 x 30 metre .* --resample"):
        check_resolution(bundle(*size), scene)


def test_degrees_are_not_metres(make_scene, make_pixels):
    scene = open_scene(make_scene(make_pixels(4, 4), grid="geographic"))
    with pytest.raises(BundleError, match="degree"):
        check_resolution(bundle(1 / 3600, 1 / 3600), scene)
    check_resolution(bundle(1 / 3600, 1 / 3600, "degree"), scene)
    check_resolution(bundle(1 / 3600, 1 / 3600, scene.geobox.crs.units[0]), scene)
