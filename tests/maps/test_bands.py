import pytest

from sscl_geo.errors import BandError
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.bands import match_bands


@pytest.fixture
def scene_with(make_scene, make_pixels):
    def make(*names):
        pixels = make_pixels(4, 4)[[0] * len(names)]
        named = tuple(n or "" for n in names)
        return open_scene(make_scene(pixels, descriptions=named if any(named) else None))

    return make


def test_bands_are_found_by_name_in_any_order_and_among_others(scene_with):
    assert match_bands(scene_with("nir", "blue", "red"), ("red", "nir")) == ("red", "nir")


def test_bands_without_names_are_taken_in_order(scene_with):
    assert match_bands(scene_with(None, None), ("red", "nir")) is None


def test_bands_of_other_names_are_taken_in_order(scene_with):
    assert match_bands(scene_with("B4", "B8"), ("red", "nir")) is None


def test_numbered_bands_are_not_names_that_pick_among_more(scene_with):
    with pytest.raises(BandError, match="3 bands"):
        match_bands(scene_with(None, None, None), ("band_1", "band_2"))


def test_another_number_of_bands_is_refused(scene_with):
    with pytest.raises(BandError, match=r"has 1 bands .* trained on 2 \(red, nir\)"):
        match_bands(scene_with("red"), ("red", "nir"))


def test_half_known_names_leave_the_order_in_doubt(scene_with):
    with pytest.raises(BandError, match="order is in doubt"):
        match_bands(scene_with("nir", "green"), ("red", "nir"))


def test_names_that_repeat_do_not_pick_a_band(scene_with):
    with pytest.raises(BandError):
        match_bands(scene_with("red", "red", "nir"), ("red", "nir"))
