from dataclasses import replace

import numpy as np
import pytest
import rasterio

from sscl_geo.errors import MixedUnitsWarning, UnitsError
from sscl_geo.io.scene import open_scene
from sscl_geo.io.units import BandUnits, common_units

REFLECTANCE = np.random.default_rng(0).uniform(0.01, 0.6, (2, 30, 40))


def stored(make_scene, name, dtype, scale=1.0, offset=0.0):
    """A scene of the same reflectance, stored as the tags say, or without tags."""
    path = make_scene(((REFLECTANCE - offset) / scale).astype(dtype), name)
    with rasterio.open(path, "r+") as target:
        target.scales, target.offsets = (scale,) * 2, (offset,) * 2
    return open_scene(path)


def statistics(scene):
    with rasterio.open(scene.path) as source:
        pixels = source.read().astype(np.float64)
    return pixels.mean(axis=(1, 2)), pixels.std(axis=(1, 2))


def test_a_scene_knows_its_tags(make_scene):
    scene = stored(make_scene, "a.tif", np.uint16, 0.0001, -0.1)
    assert scene.scale == (0.0001, 0.0001)
    assert scene.offset == (-0.1, -0.1)
    assert BandUnits.of(scene) == BandUnits("uint16", scene.scale, scene.offset)


@pytest.mark.parametrize(
    "to", [("uint16", 0.0001, -0.1), ("int16", 0.0002, 0), ("float32", 0.01, 0)]
)
def test_tags_on_both_sides_carry_statistics_over(make_scene, to):
    one = stored(make_scene, "a.tif", np.uint16, 0.00005, -0.2)
    other = stored(make_scene, "b.tif", *to)
    mean, std = BandUnits.of(one).statistics_in(BandUnits.of(other), *statistics(one), "b.tif")
    expected_mean, expected_std = statistics(other)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-3)
    np.testing.assert_allclose(std, expected_std, rtol=1e-3)


@pytest.mark.parametrize(
    ("one", "other", "sentence"),
    [
        (("uint16", 1, 0), ("float32", 1, 0), r"holds fractions \(float32\) but .* 16 bits"),
        (("float64", 1, 0), ("int16", 1, 0), "holds whole numbers of 16 bits"),
        (("uint8", 1, 0), ("uint16", 1, 0), "on whole numbers of 8 bits"),
        (("uint16", 1, 0), ("uint16", 0.0001, 0), "names the scale 0.0001 .* name no scale"),
        (("uint16", 0.0001, -0.1), ("float32", 1, 0), "names no scale but .* the offset -0.1"),
        (("uint16", 0.0001, 0), ("uint16", -0.0001, 0), "a scale is not above 0"),
    ],
)
def test_what_is_not_told_is_refused(one, other, sentence):
    one, other = (BandUnits(dtype, (scale,), (offset,)) for dtype, scale, offset in (one, other))
    with pytest.raises(UnitsError, match=sentence):
        one.statistics_in(other, [5.0], [1.0], "b.tif")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("uint16", 1, 0), ("int16", 1, 0)),
        (("float32", 1, 0), ("float64", 1, 0)),
        (("uint16", 0.0001, 0), ("int32", 0.0001, 0)),
    ],
)
def test_the_same_units_leave_statistics_as_they_are(one, other):
    one, other = (BandUnits(dtype, (scale,), (offset,)) for dtype, scale, offset in (one, other))
    assert one.statistics_in(other, [5.0], [1.0], "b.tif") == ((5.0,), (1.0,))


def test_scenes_of_a_training_in_different_units_have_none_in_common(make_scene):
    one, other = (stored(make_scene, n, np.uint16, 0.0001) for n in ("a.tif", "b.tif"))
    assert common_units([one, other]) == BandUnits.of(one)
    with pytest.warns(MixedUnitsWarning, match="b.tif is in other units"):
        assert common_units([one, replace(other, scale=(0.001, 0.0001))]) is None


def test_bands_are_compared_in_the_networks_order():
    units = BandUnits("uint16", (1.0, 0.1, 0.01), (0.0, 5.0, 6.0))
    assert units.select([2, 0]) == BandUnits("uint16", (0.01, 1.0), (6.0, 0.0))
