"""Scenes on a server, in archives, virtual rasters and subdatasets."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.env
import rasterio.shutil
from affine import Affine
from rasterio._env import del_gdal_config
from rasterio.enums import Resampling

from sscl_geo.classes import ClassTable
from sscl_geo.errors import SceneError
from sscl_geo.io.cloud_mask import CloudMask
from sscl_geo.io.finding import find_scenes
from sscl_geo.io.fingerprint import fingerprint
from sscl_geo.io.labels import open_labels
from sscl_geo.io.legend import read_legend
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.remote import gdal_path, is_remote, opening_env, remote_env, without_query
from sscl_geo.io.scene import open_scene
from sscl_geo.io.stac import open_item, read_items
from sscl_geo.maps.products.finished import open_map

PIXELS = np.random.default_rng(0).integers(1, 60000, (2, 512, 512)).astype(np.uint16)


@pytest.fixture
def cog(make_scene) -> Path:
    return make_scene(PIXELS, "a_20180716.tif", tiled=True, blockxsize=64, blockysize=64)


def test_a_scene_is_read_over_http(server, cog) -> None:
    scene = open_scene(f"{server.url}/{cog.name}")
    assert (scene.name, scene.date.year) == ("a_20180716", 2018)
    patch = SceneReader(scene).read(30, 40, 50, 60)
    np.testing.assert_array_equal(patch.image, PIXELS[:, 30:80, 40:100])


def test_only_the_blocks_of_a_window_are_fetched_and_no_side_cars(server, cog) -> None:
    reader = SceneReader(open_scene(f"{server.url}/{cog.name}"))
    reader.read(0, 0, 64, 64)
    assert server.sent < cog.stat().st_size / 4
    assert {path for _, path, _ in server.asked} == {f"/{cog.name}"}


def test_a_signed_address_keeps_its_signature(server, cog, tmp_path: Path) -> None:
    cog.rename(tmp_path / "secret.tif")
    url = f"{server.url}/secret.tif?signature=1&x=[a]*/b.c"
    assert find_scenes([url]) == [url]
    scene = open_scene(url)
    assert scene.name == "secret"
    np.testing.assert_array_equal(SceneReader(scene).read(0, 0, 9, 9).image, PIXELS[:, :9, :9])
    with pytest.raises(SceneError, match="credentials") as caught:
        open_scene(f"{server.url}/secret.tif?signature=private")
    assert "private" not in str(caught.value)


def test_a_missing_file_is_one_sentence(server) -> None:
    with pytest.raises(SceneError, match=r"The server has no file http://.*/none\.tif; check"):
        open_scene(f"{server.url}/none.tif")


def test_a_server_that_is_not_there_is_one_sentence(server) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(SceneError, match=r"Cannot read http://.*/gone\.tif from its server"):
        open_scene(f"{server.url}/gone.tif")


def test_a_busy_server_is_asked_again(server, cog, tmp_path: Path) -> None:
    cog.rename(tmp_path / "busy.tif")
    reader = SceneReader(open_scene(f"{server.url}/busy.tif"))
    reader.read(0, 0, 1, 1)
    server.busy = 2
    np.testing.assert_array_equal(reader.read(400, 400, 9, 9).image, PIXELS[:, 400:409, 400:409])
    assert server.busy == 0


def test_stac_and_cloud_masks_are_read_over_http(server, make_scene) -> None:
    classes = np.random.default_rng(1).integers(0, 12, (1, 256, 256)).astype(np.uint8)
    transform = Affine(10, 0, 300_000, 0, -10, 4_100_000)
    make_scene(PIXELS[:1], "B04.tif", transform=transform)
    make_scene(PIXELS[1:], "B08.tif", transform=transform)
    make_scene(classes, "SCL.tif", transform=transform @ Affine.scale(2))
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "i", "geometry": None, "links": [],
        "properties": {"datetime": "2020-05-18T00:00:00Z"},
        "assets": {k: {"href": f"{server.url}/{k}.tif?x=1&y=2"} for k in ("B04", "B08", "SCL")},
    }  # fmt: skip
    mask = CloudMask.sentinel2_scl(band="SCL")
    scene = open_item(read_items(item)[0], ["B04", "B08"], mask)
    patch = SceneReader(scene).read(100, 100, 30, 30)
    clear = ~np.isin(classes[0, 50:65, 50:65], [0, 1, 3, 8, 9, 10]).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(patch.valid, clear)
    np.testing.assert_array_equal(patch.image[:, clear], PIXELS[:, 100:130, 100:130][:, clear])


def test_the_users_own_options_stay(monkeypatch) -> None:
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "9")
    with rasterio.Env(GDAL_HTTP_CONNECTTIMEOUT=3), remote_env("https://host/a.tif"):
        options = rasterio.env.getenv()
        assert options["GDAL_DISABLE_READDIR_ON_OPEN"] == "EMPTY_DIR"
        assert options["GDAL_HTTP_CONNECTTIMEOUT"] == 3
        assert "GDAL_HTTP_MAX_RETRY" not in options


def test_local_files_need_no_options() -> None:
    with remote_env("/data/a.tif"):
        assert not rasterio.env.hasenv()


def test_the_folder_of_a_local_file_is_not_listed_unless_the_user_wants_it(monkeypatch) -> None:
    with opening_env("/data/a.tif"):
        assert rasterio.env.getenv()["GDAL_DISABLE_READDIR_ON_OPEN"] == "TRUE"
    monkeypatch.setenv("GDAL_DISABLE_READDIR_ON_OPEN", "FALSE")
    with opening_env("/data/a.tif"):
        assert "GDAL_DISABLE_READDIR_ON_OPEN" not in rasterio.env.getenv()


@pytest.mark.parametrize(
    ("path", "remote"),
    [
        ("https://h/a.tif", True),
        ("/vsis3/b/a.tif", True),
        ("/vsicurl?empty_dir=yes&url=https%3A%2F%2Fh", True),
        ("/vsizip//vsicurl/https://h/a.zip/a.tif", True),
        ("/vsizip/a.zip/a.tif", False),
        ("file:///a.tif", False),
        ('NETCDF:"a.nc":x', False),
        ("C:/a.tif", False),
    ],
)
def test_what_lies_on_a_server_is_known_by_its_name(path: str, remote: bool) -> None:
    assert is_remote(path) == remote


def test_gdal_and_people_have_other_names_for_a_url() -> None:
    assert gdal_path("gs://b/a.tif") == "/vsigs/b/a.tif"
    assert gdal_path("/data/a.tif") == "/data/a.tif"
    assert without_query("https://h/a.tif?sig=1") == "https://h/a.tif"
    assert without_query("/data/a?.tif") == "/data/a?.tif"


def test_a_zip_archive_is_read_through_gdals_file_system(cog, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(cog, "inner.tif")
    scene = open_scene(f"/vsizip/{tmp_path}/a.zip/inner.tif")
    np.testing.assert_array_equal(SceneReader(scene).read(0, 0, 9, 9).image, PIXELS[:, :9, :9])
    with pytest.raises(SceneError, match=r"Cannot open .*none\.tif"):
        open_scene(f"/vsizip/{tmp_path}/a.zip/none.tif")


def test_a_subdataset_is_a_scene(cog, tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    rasterio.shutil.copy(cog, path, driver="GTiff")
    rasterio.shutil.copy(cog, path, driver="GTiff", APPEND_SUBDATASET="YES")
    scene = open_scene(f"GTIFF_DIR:2:{path}")
    np.testing.assert_array_equal(SceneReader(scene).read(0, 0, 9, 9).image, PIXELS[:, :9, :9])
    with pytest.raises(SceneError, match="Cannot open GTIFF_DIR:9"):
        open_scene(f"GTIFF_DIR:9:{path}")


def test_a_virtual_raster_is_a_scene_and_survives_a_fork(cog, tmp_path: Path) -> None:
    path = tmp_path / "a.vrt"
    rasterio.shutil.copy(cog, path, driver="VRT")
    reader = SceneReader(open_scene(path))
    reader.read(0, 0, 8, 8)
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            rng = np.random.default_rng(os.getpid())
            for row, col in rng.integers(0, 450, (100, 2)).tolist():
                got = reader.read(row, col, 50, 50).image
                if not np.array_equal(got, PIXELS[:, row : row + 50, col : col + 50]):
                    os._exit(1)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]


def test_bands_of_several_types_are_read_in_one_that_holds_them(make_scene, tmp_path) -> None:
    whole = make_scene(np.full((1, 6, 6), 200, np.uint8), "a.tif")
    real = make_scene(np.full((1, 6, 6), 0.5, np.float32), "b.tif")
    path = tmp_path / "mixed.vrt"
    rasterio.shutil.copy(whole, path, driver="VRT")
    text = path.read_text()
    rasterio.shutil.copy(real, tmp_path / "real.vrt", driver="VRT")
    other = (tmp_path / "real.vrt").read_text()
    band = other[other.index("<VRTRasterBand") : other.index("</VRTDataset>")]
    path.write_text(
        text.replace("</VRTDataset>", f"{band.replace('band="1"', 'band="2"')}</VRTDataset>")
    )
    scene = open_scene(path)
    assert scene.dtype == "float32"
    patch = SceneReader(scene).read(0, 0, 6, 6)
    assert (patch.image[0] == 200).all()
    assert (patch.image[1] == 0.5).all()


def test_overviews_do_not_change_what_is_read(cog) -> None:
    with rasterio.open(cog, "r+") as target:
        target.build_overviews([2, 4], Resampling.average)
    patch = SceneReader(open_scene(cog)).read(0, 0, 512, 512)
    np.testing.assert_array_equal(patch.image, PIXELS)


@pytest.fixture
def listing_forgotten():
    """Afterwards: rasterio keeps for the thread what an Env found, even in a variable."""
    yield
    del_gdal_config("GDAL_DISABLE_READDIR_ON_OPEN")


@pytest.mark.usefixtures("listing_forgotten")
def test_side_cars_of_local_files_are_seen_after_torchgeo_fit(make_scene, make_map, monkeypatch):
    """TorchGeo's command line tells GDAL for the whole process to look for no side-car."""
    table = ClassTable.from_values([1, 2], {1: "water", 2: "forest"})
    map_path = make_map(np.array([[1, 2], [2, 255]]), table, percent=np.full((2, 2), 80))
    masked = make_scene(np.ones((2, 4, 5), np.uint8), "masked.tif")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(masked, "r+") as target:
        target.write_mask(np.arange(20).reshape(4, 5) > 6)
    assert masked.with_name("masked.tif.msk").is_file()
    before = fingerprint(open_scene(masked))
    monkeypatch.setenv("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR")
    with rasterio.open(masked) as source:  # what the setting does to a plain reader
        assert source.read_masks(1).all()
    assert read_legend(map_path).names == {1: "water", 2: "forest"}
    assert open_map(map_path).classes.names == ("water", "forest")
    assert open_labels(map_path).classes.names == ("water", "forest")
    scene = open_scene(masked)
    assert scene.has_mask
    with SceneReader(scene) as reader:
        assert (~reader.read(0, 0, 4, 5).valid).sum() == 7
    assert fingerprint(scene) == before
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
        assert open_scene(masked).has_mask
