"""Cloud masks on grids of their own, against GDAL's nearest neighbour."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from sscl_geo.errors import ConfigError, SceneError
from sscl_geo.io.cloud_mask import CloudMask
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import open_scene
from sscl_geo.io.validity import marks_invalid, validity_table

TEN = Affine(10, 0, 300_000, 0, -10, 4_100_000)
BESIDE = ((r"_B04\.tif$", "_SCL.tif"),)
SCL = CloudMask(values=frozenset({0, 3, 8}), beside=BESIDE)


def classes(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 12, (1, height, width)).astype(np.uint8)


def image(height: int = 31, width: int = 44) -> np.ndarray:
    return np.random.default_rng(1).integers(1, 9000, (2, height, width)).astype(np.uint16)


def gdals_clear(scene_path: Path, mask_path: Path, invalid: set[int]) -> np.ndarray:
    with (
        rasterio.open(scene_path) as scene,
        rasterio.open(mask_path) as mask,
        WarpedVRT(
            mask,
            crs=scene.crs,
            transform=scene.transform,
            height=scene.height,
            width=scene.width,
            resampling=Resampling.nearest,
            add_alpha=True,
        ) as warped,
    ):
        return ~np.isin(warped.read(1), list(invalid)) & (warped.read(2) > 0)


MASK_GRIDS = {
    "the same": (TEN, 31, 44),
    "20 m": (TEN @ Affine.scale(2), 16, 22),
    "60 m, short of the scene": (TEN @ Affine.scale(6), 4, 5),
    "5 m, shifted": (TEN @ Affine.translation(-2.25, 1.6) @ Affine.scale(0.5), 70, 99),
    "not square": (TEN @ Affine.translation(-1.2, -3.4) @ Affine.scale(1.7, 2.3), 20, 30),
    "south-up": (Affine(20, 0, 299_996, 0, 20, 4_099_603), 21, 23),
    "rotated": (
        TEN @ Affine.translation(-9.1, 3.3) @ Affine.rotation(17) @ Affine.scale(2),
        30,
        40,
    ),
}


@pytest.mark.parametrize("grid", MASK_GRIDS)
def test_a_mask_on_another_grid_is_read_as_gdals_nearest(make_scene, grid: str) -> None:
    transform, height, width = MASK_GRIDS[grid]
    path = make_scene(image(), "a_B04.tif", transform=TEN)
    mask = make_scene(classes(height, width), "a_SCL.tif", transform=transform)
    valid = SceneReader(open_scene(path, clouds=SCL)).read(0, 0, 31, 44).valid
    np.testing.assert_array_equal(valid, gdals_clear(path, mask, {0, 3, 8}))
    assert valid.any()
    assert not valid.all()


@pytest.mark.parametrize("grid", ["20 m", "5 m, shifted", "rotated"])
@pytest.mark.parametrize(
    "window", [(3, 5, 7, 11), (-4, -3, 10, 10), (30, 43, 1, 1), (25, 40, 9, 9)]
)
def test_a_window_is_cut_from_the_whole(make_scene, grid: str, window) -> None:
    transform, height, width = MASK_GRIDS[grid]
    path = make_scene(image(), "a_B04.tif", transform=TEN)
    make_scene(classes(height, width), "a_SCL.tif", transform=transform)
    reader = SceneReader(open_scene(path, clouds=SCL))
    row, col, height, width = window
    whole = np.pad(reader.read(0, 0, 31, 44).valid, 20)
    expected = whole[row + 20 : row + 20 + height, col + 20 : col + 20 + width]
    np.testing.assert_array_equal(reader.read(*window).valid, expected)


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    scale=st.floats(0.4, 7),
    shift=st.tuples(st.floats(-9, 9), st.floats(-9, 9)),
    angle=st.sampled_from([0.0, 30.0, 90.0, 171.3]),
)
def test_any_grid_agrees_with_the_ground_under_each_centre(make_scene, scale, shift, angle) -> None:
    transform = TEN @ Affine.translation(*shift) @ Affine.rotation(angle) @ Affine.scale(scale)
    path = make_scene(image(9, 11), "a_B04.tif", transform=TEN)
    mask = classes(13, 12)
    make_scene(mask, "a_SCL.tif", transform=transform)
    valid = SceneReader(open_scene(path, clouds=SCL)).read(0, 0, 9, 11).valid
    for row, col in np.ndindex(9, 11):
        x, y = ~transform @ (TEN @ (col + 0.5, row + 0.5))
        if min(x % 1, 1 - x % 1, y % 1, 1 - y % 1) < 1e-5:
            continue  # on an edge, where either pixel is right
        inside = 0 <= x < 12 and 0 <= y < 13
        assert valid[row, col] == (inside and mask[0, int(y), int(x)] not in {0, 3, 8})


def test_landsats_bits_are_those_of_its_handbook() -> None:
    # Clear land, clear water, cloud of high confidence, shadow, cirrus, dilated, fill, snow.
    pixels = np.array([21824, 21952, 22280, 23888, 54596, 21826, 1, 30048], np.uint16)
    expected = [True, True, False, False, False, False, False, True]
    assert CloudMask.landsat_qa("qa").is_clear(pixels).tolist() == expected


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32"])
def test_bits_and_values_join_in_every_integer_type(dtype: str) -> None:
    rule = CloudMask(values=frozenset({4}), bits=frozenset({0, 5, 40}), band=1)
    pixels = np.arange(100).astype(dtype)
    expected = [not (v & 0b100001) and v != 4 for v in range(100)]
    assert rule.is_clear(pixels).tolist() == expected


def test_a_band_of_the_same_file_is_no_image_band(make_scene) -> None:
    stack = np.concatenate([image(), classes(31, 44).astype(np.uint16)])
    path = make_scene(stack, nodata=0, descriptions=("red", "nir", "SCL"))
    scene = open_scene(path, clouds=CloudMask.sentinel2_scl(band="SCL"))
    assert scene.bands == ("red", "nir")
    assert scene.nodata == (0, 0)
    patch = SceneReader(scene, ["nir"]).read(2, 3, 20, 30)
    expected = ~np.isin(stack[2, 2:22, 3:33], [0, 1, 3, 8, 9, 10])
    np.testing.assert_array_equal(patch.valid, expected)
    np.testing.assert_array_equal(patch.image[0][expected], stack[1, 2:22, 3:33][expected])


@pytest.mark.parametrize("band", [1, "band_1"])
def test_a_band_without_a_name_may_be_given_by_number(make_scene, band) -> None:
    scene = open_scene(
        make_scene(np.ones((3, 5, 5), np.uint8)), clouds=CloudMask(bits=frozenset({0}), band=band)
    )
    assert scene.bands == ("band_2", "band_3")
    assert not SceneReader(scene).read(0, 0, 5, 5).valid.any()


def test_an_unknown_band_is_refused_with_the_known_ones(make_scene) -> None:
    path = make_scene(image(), descriptions=("red", "nir"))
    with pytest.raises(SceneError, match="no band SCL for the cloud mask; it has red, nir"):
        open_scene(path, clouds=CloudMask.sentinel2_scl(band="SCL"))


@pytest.mark.parametrize(
    ("preset", "scene", "mask"),
    [
        (CloudMask.sentinel2_scl(), "T12SUG_B8A.tif", "T12SUG_SCL.tif"),
        (CloudMask.sentinel2_scl(), "/S2A_12SUG/B04.tif", "/S2A_12SUG/SCL.tif"),
        (CloudMask.sentinel2_scl(), "https://h/a/B04.tif?sig=1", "https://h/a/SCL.tif?sig=1"),
        (
            CloudMask.sentinel2_scl(),
            "G/IMG_DATA/R10m/T12SUG_20200518T181921_B04_10m.jp2",
            "G/IMG_DATA/R20m/T12SUG_20200518T181921_SCL_20m.jp2",
        ),
        (
            CloudMask.landsat_qa(),
            "LC08_L2SP_039034_20200518_20200820_02_T1_SR_B4.TIF",
            "LC08_L2SP_039034_20200518_20200820_02_T1_QA_PIXEL.TIF",
        ),
        (CloudMask.landsat_qa(), "LC08_L1TP_039034_T1_B4.TIF", "LC08_L1TP_039034_T1_QA_PIXEL.TIF"),
        (CloudMask.landsat_qa(), "naip.tif", None),
    ],
)  # fmt: skip
def test_presets_know_where_products_keep_their_masks(preset, scene, mask) -> None:
    assert preset.path_for(scene) == mask


def test_a_missing_mask_file_is_one_sentence(make_scene) -> None:
    path = make_scene(image(), "a_B04.tif")
    with pytest.raises(SceneError, match=r"There is no file .*a_SCL\.tif"):
        open_scene(path, clouds=SCL)


def test_a_name_without_the_form_of_one_is_refused(make_scene) -> None:
    with pytest.raises(SceneError, match="does not say where its cloud mask lies"):
        open_scene(make_scene(image(), "other.tif"), clouds=SCL)


def test_a_mask_in_another_crs_is_refused(make_scene) -> None:
    path = make_scene(image(), "a_B04.tif")
    make_scene(classes(9, 9), "a_SCL.tif", grid="web_mercator")
    with pytest.raises(SceneError, match="another coordinate reference system"):
        open_scene(path, clouds=SCL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"band": 1},
        {"values": frozenset({1})},
        {"bits": frozenset({-1}), "band": 1},
        {"values": frozenset({1}), "beside": (("(", ""),)},
    ],
)
def test_a_rule_that_says_nothing_is_refused(wrong) -> None:
    with pytest.raises(ConfigError):
        CloudMask(**wrong)


def test_a_damaged_mask_is_named(make_scene) -> None:
    path = make_scene(image(), "a_B04.tif", transform=TEN)
    mask = make_scene(classes(31, 44), "a_SCL.tif", transform=TEN, compress="deflate")
    scene = open_scene(path, clouds=SCL)
    content = bytearray(mask.read_bytes())
    content[200:600] = b"\xff" * 400
    mask.write_bytes(content)
    with pytest.raises(SceneError, match=r"a_SCL\.tif"):
        SceneReader(scene).read(0, 0, 31, 44)


def test_the_valid_area_knows_of_clouds(make_scene) -> None:
    path = make_scene(image(), "a_B04.tif", transform=TEN)
    make_scene(classes(16, 22), "a_SCL.tif", transform=TEN @ Affine.scale(2))
    scene = open_scene(path, clouds=SCL)
    assert marks_invalid(scene)
    table = validity_table(SceneReader(scene))
    assert table is not None
    invalid = (~SceneReader(scene).read(0, 0, 31, 44).valid).sum()
    assert table.sums[-1, -1] == invalid


def test_a_reader_of_a_masked_scene_pickles(make_scene) -> None:
    path = make_scene(image(), "a_B04.tif", transform=TEN)
    make_scene(classes(31, 44), "a_SCL.tif", transform=TEN)
    reader = SceneReader(open_scene(path, clouds=SCL))
    expected = reader.read(0, 0, 31, 44).valid
    twin = pickle.loads(pickle.dumps(reader))  # noqa: S301 - made here
    np.testing.assert_array_equal(twin.read(0, 0, 31, 44).valid, expected)
