"""What is refused as a scene, and what is read from its header."""

import re
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyproj.exceptions
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.shutil import copy

from sscl_geo.errors import SceneError
from sscl_geo.io.dates import DatePattern
from sscl_geo.io.scene import open_scene


@pytest.mark.parametrize(
    "grid", ["utm", "south_up", "non_square", "rotated", "web_mercator", "geographic"]
)
def test_the_grid_is_rasterios(make_scene, grid: str) -> None:
    path = make_scene(np.zeros((2, 5, 7), np.uint8), grid=grid)
    scene = open_scene(path)
    with rasterio.open(path) as source:
        assert scene.geobox.affine == source.transform
        assert scene.crs.to_epsg() == source.crs.to_epsg()
        assert scene.shape == source.shape


def test_pixel_size_of_a_rotated_grid_is_the_length_of_its_sides(make_scene) -> None:
    scene = open_scene(make_scene(np.zeros((1, 5, 7), np.uint8), grid="rotated"))
    assert scene.pixel_size == pytest.approx((10, 12))


def test_descriptions_name_the_bands(make_scene) -> None:
    path = make_scene(np.zeros((2, 5, 7), np.uint8), descriptions=("red", "nir"))
    assert open_scene(path).bands == ("red", "nir")


def test_bands_without_names_are_numbered(make_scene) -> None:
    assert open_scene(make_scene(np.zeros((2, 5, 7), np.uint8))).bands == ("band_1", "band_2")


def test_an_alpha_band_is_not_an_image_band(make_scene) -> None:
    path = make_scene(np.zeros((4, 5, 7), np.uint8), photometric="RGB", alpha="YES")
    with rasterio.open(path) as source:
        assert source.colorinterp[3] == ColorInterp.alpha
    scene = open_scene(path)
    assert (len(scene.bands), scene.alpha, scene.has_mask) == (3, 4, False)


def test_a_missing_file_is_one_sentence() -> None:
    with pytest.raises(SceneError, match=r"^There is no file nowhere.tif; check the path"):
        open_scene("nowhere.tif")


def test_a_text_file_is_not_a_raster(tmp_path: Path) -> None:
    (tmp_path / "note.tif").write_text("hello")
    with pytest.raises(SceneError, match="as a raster"):
        open_scene(tmp_path / "note.tif")


def test_a_raster_without_crs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=3,
        height=3,
        count=1,
        dtype="uint8",
        transform=Affine(1, 0, 0, 0, -1, 3),
    ) as target:
        target.write(np.zeros((1, 3, 3), np.uint8))
    with pytest.raises(SceneError, match="no coordinate reference system"):
        open_scene(path)


def test_a_raster_without_transform_is_refused_quietly(tmp_path: Path) -> None:
    path = tmp_path / "bare.tif"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(
            path, "w", driver="GTiff", width=3, height=3, count=1, dtype="uint8", crs="EPSG:32612"
        ) as target:
            target.write(np.zeros((1, 3, 3), np.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SceneError, match="no usable transform"):
            open_scene(path)


def test_complex_pixels_are_refused(make_scene) -> None:
    with pytest.raises(SceneError, match="complex"):
        open_scene(make_scene(np.zeros((1, 3, 3), np.complex64)))


def test_the_date_comes_from_the_name(make_scene) -> None:
    path = make_scene(np.zeros((1, 3, 3), np.uint8), "naip_m_4709963_se_14_1_20180716.tif")
    assert open_scene(path).date == datetime(2018, 7, 16, tzinfo=UTC)


def test_a_date_pattern_replaces_the_usual_forms(make_scene) -> None:
    path = make_scene(np.zeros((1, 3, 3), np.uint8), "a_20180716_d2019-200.tif")
    scene = open_scene(path, date_pattern=DatePattern(r"_d(?P<date>\d{4}-\d{3})", "%Y-%j"))
    assert scene.date == datetime(2019, 7, 19, tzinfo=UTC)


def test_without_a_date_in_the_name_gdals_acquisition_time_counts(make_scene) -> None:
    path = make_scene(np.zeros((1, 3, 3), np.uint8))
    with rasterio.open(path, "r+") as target:
        target.update_tags(ns="IMAGERY", ACQUISITIONDATETIME="2018-07-16 10:30:00")
    assert open_scene(path).date == datetime(2018, 7, 16, 10, 30, tzinfo=UTC)


def test_tiffs_time_of_writing_is_no_date(make_scene) -> None:
    path = make_scene(np.zeros((1, 3, 3), np.uint8))
    with rasterio.open(path, "r+") as target:
        target.update_tags(TIFFTAG_DATETIME="2018:07:16 10:30:00")
    assert open_scene(path).date is None


@pytest.mark.parametrize(
    "transform",
    [Affine(0, 0, 300_000, 0, 0, 4_100_000), Affine(30, 0, 300_000, 30, 0, 4_100_000),
     Affine(np.nan, 0, 300_000, 0, -30, 4_100_000)],
)  # fmt: skip
def test_pixels_of_no_size_are_refused(make_scene, tmp_path, transform) -> None:
    path = tmp_path / "flat.vrt"
    copy(make_scene(np.zeros((1, 3, 3), np.uint8)), path, driver="VRT")
    numbers = ", ".join(map(str, transform.to_gdal()))
    path.write_text(re.sub("(?<=<GeoTransform>).*(?=</Geo)", numbers, path.read_text()))
    with pytest.raises(SceneError, match="no usable transform"):
        open_scene(path)


def test_a_crs_without_a_place_on_earth_is_refused(make_scene) -> None:
    path = make_scene(np.zeros((1, 3, 3), np.uint8), crs='LOCAL_CS["desk",UNIT["metre",1]]')
    with pytest.raises(SceneError, match="local coordinate system"):
        open_scene(path)


def test_a_crs_that_proj_cannot_read_is_refused(make_scene, monkeypatch) -> None:
    def refuse(_: object) -> None:
        raise pyproj.exceptions.CRSError("unknown")

    path = make_scene(np.zeros((1, 3, 3), np.uint8))
    monkeypatch.setattr("sscl_geo.io.soundness.CRS", refuse)
    with pytest.raises(SceneError, match="PROJ cannot read"):
        open_scene(path)


@pytest.mark.parametrize("options", [{}, {"compress": "deflate"}, {"interleave": "band"}])
@pytest.mark.parametrize("tiled", [False, True])
def test_a_truncated_file_is_refused(make_scene, options, tiled: bool) -> None:
    array = np.random.default_rng(0).integers(1, 200, (2, 100, 90)).astype(np.uint8)
    blocks = {"tiled": True, "blockxsize": 32, "blockysize": 32} if tiled else {}
    path = make_scene(array, **options, **blocks)
    open_scene(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 300])
    with pytest.raises(SceneError, match="truncated"):
        open_scene(path)


def test_a_sparse_file_is_not_truncated(make_scene, tmp_path) -> None:
    path = make_scene(np.zeros((1, 100, 90), np.uint8), sparse_ok=True, tiled=True,
                      blockxsize=32, blockysize=32)  # fmt: skip
    assert open_scene(path).shape == (100, 90)
