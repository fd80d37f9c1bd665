"""STAC items as scenes, against rasterio's reading of each asset."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import rasterio.warp
from affine import Affine
from rasterio.enums import Resampling

from sscl_geo import SceneDataset
from sscl_geo.errors import ConfigError, SceneError, SkippedSceneWarning
from sscl_geo.io.cloud_mask import CloudMask
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.stac import open_item, read_items

TEN = Affine(10, 0, 300_000, 0, -10, 4_100_000)
SHAPE = (40, 60)


def noise(bands: int = 1, shape=SHAPE, seed: int = 0, dtype: str = "uint16") -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 250, (bands, *shape)).astype(dtype)


def make_item(assets: dict, name: str = "S2_zion", **properties) -> dict:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": None,
        "links": [],
        "properties": {"datetime": "2020-05-18T20:19:21+02:00", **properties},
        "assets": {k: v if isinstance(v, dict) else {"href": str(v)} for k, v in assets.items()},
    }


@pytest.fixture
def sentinel(make_scene):
    """Paths of two bands of 10 m, one of 20 m and a classification of 20 m."""
    coarse = TEN @ Affine.scale(2)
    half = (SHAPE[0] // 2, SHAPE[1] // 2)
    return {
        "red": make_scene(noise(), "T1_B04.tif", transform=TEN, nodata=0),
        "nir": make_scene(noise(seed=1), "T1_B08.tif", transform=TEN, nodata=0),
        "swir": make_scene(noise(shape=half, seed=2), "T1_B11.tif", transform=coarse, nodata=0),
        "scl": make_scene(
            noise(shape=half, seed=3, dtype="uint8") % 12, "T1_SCL.tif", transform=coarse
        ),
    }


def read_all(scene):
    return SceneReader(scene).read(0, 0, *scene.shape)


def only(source, assets, clouds=None):
    return open_item(read_items(source)[0], assets, clouds)


def test_assets_of_one_grid_become_bands_untouched(sentinel) -> None:
    scene = only(make_item(sentinel), ["nir", "red"])
    assert scene.bands == ("nir", "red")
    assert scene.shape == SHAPE
    assert scene.geobox.affine == TEN
    assert scene.dtype == "uint16"
    assert scene.nodata == (0, 0)
    for band, key in zip(read_all(scene).image, ("nir", "red"), strict=True):
        with rasterio.open(sentinel[key]) as source:
            np.testing.assert_array_equal(band, source.read(1))


def test_the_items_time_is_the_scenes_date_in_utc(sentinel) -> None:
    assert only(make_item(sentinel), ["red"]).date == datetime(2020, 5, 18, 18, 19, 21, tzinfo=UTC)


def test_an_item_of_a_time_range_has_its_start(sentinel) -> None:
    span = {"datetime": None, "start_datetime": "2020-05-18T00:00:00Z",
            "end_datetime": "2020-05-20T00:00:00Z"}  # fmt: skip
    assert only(make_item(sentinel, **span), ["red"]).date == datetime(2020, 5, 18, tzinfo=UTC)


def test_a_coarser_asset_is_interpolated_as_gdal_warps(sentinel) -> None:
    scene = only(make_item(sentinel), ["swir", "red"])
    assert scene.pixel_size == (10, 10)
    expected = np.zeros(SHAPE, np.float32)
    with rasterio.open(sentinel["swir"]) as source:
        rasterio.warp.reproject(
            source.read(1).astype(np.float32),
            expected,
            src_transform=source.transform,
            src_crs=source.crs,
            dst_transform=TEN,
            dst_crs=source.crs,
            resampling=Resampling.bilinear,
        )
    # The file holds whole numbers: half a unit of rounding.
    assert np.abs(read_all(scene).image[0] - expected).max() <= 0.5 + 1e-3


def test_a_window_of_a_joined_scene_is_cut_from_the_whole(sentinel) -> None:
    scene = only(make_item(sentinel), ["red", "swir"])
    whole = read_all(scene).image
    reader = SceneReader(scene)
    for row, col, height, width in [(0, 0, 7, 9), (3, 5, 20, 21), (11, 40, 1, 1), (33, 1, 7, 59)]:
        part = reader.read(row, col, height, width).image
        np.testing.assert_array_equal(part, whole[:, row : row + height, col : col + width])


def test_nodata_of_a_coarser_asset_shrinks_by_half_a_pixel_and_never_mixes_in(make_scene) -> None:
    red = make_scene(noise(), "a.tif", transform=TEN, nodata=0)
    coarse = np.full((1, 20, 30), 500, np.uint16)
    coarse[0, 5:10, 7:14] = 65535
    swir = make_scene(coarse, "b.tif", transform=TEN @ Affine.scale(2), nodata=65535)
    patch = read_all(only(make_item({"red": red, "swir": swir}), ["red", "swir"]))
    expected = np.ones(SHAPE, bool)
    expected[11:19, 15:27] = False  # rows 10 to 20 and columns 14 to 28, less a pixel of 10 m
    np.testing.assert_array_equal(patch.valid, expected)
    assert (patch.image[1][expected] == 500).all()


def test_the_common_ground_of_all_assets_is_kept(make_scene) -> None:
    # As Landsat's panchromatic band lies against the others: shifted by half of its pixels.
    pan = noise(shape=(82, 122))
    assets = {
        "pan": make_scene(
            pan, "p.tif", transform=TEN @ Affine.translation(-0.25, -0.25) @ Affine.scale(0.5)
        ),
        "red": make_scene(noise(seed=1), "r.tif", transform=TEN),
    }
    scene = only(make_item(assets), ["red", "pan"])
    assert scene.shape == (79, 119)
    col, row = ~(TEN @ Affine.translation(-0.25, -0.25) @ Affine.scale(0.5)) @ (
        scene.geobox.affine @ (0, 0)
    )
    assert (round(col, 6), round(row, 6)) == (1, 1)
    np.testing.assert_array_equal(read_all(scene).image[1], pan[0, 1:80, 1:120])


def test_assets_of_other_types_share_one_that_holds_all(make_scene) -> None:
    assets = {
        "a": make_scene(noise(dtype="uint8"), "a.tif", transform=TEN),
        "b": make_scene(-noise(dtype="int16"), "b.tif", transform=TEN, nodata=-9999),
    }
    scene = only(make_item(assets), ["a", "b"])
    assert (scene.dtype, scene.nodata) == ("int16", (None, -9999))
    np.testing.assert_array_equal(read_all(scene).image[1], -noise()[0].astype(np.float32))


def test_an_asset_of_several_bands_keeps_their_names(make_scene) -> None:
    path = make_scene(noise(3), "v.tif", transform=TEN)
    named = {"href": str(path), "eo:bands": [{"name": "B4"}, {"name": "B3"}, {"name": "B2"}]}
    other = make_scene(noise(1), "n.tif", transform=TEN)
    item = make_item({"visual": named, "plain": path, "nir": other})
    assert only(item, ["visual", "nir"]).bands == ("B4", "B3", "B2", "nir")
    assert only(item, ["plain"]).bands == ("plain_1", "plain_2", "plain_3")


def test_a_cloud_mask_is_an_asset_on_its_own_grid(sentinel) -> None:
    scene = only(make_item(sentinel), ["red", "swir"], CloudMask.sentinel2_scl(band="scl"))
    assert scene.bands == ("red", "swir")
    with rasterio.open(sentinel["scl"]) as source:
        classes = source.read(1).repeat(2, axis=0).repeat(2, axis=1)
    expected = ~np.isin(classes, [0, 1, 3, 8, 9, 10])
    np.testing.assert_array_equal(read_all(scene).valid, expected)


def test_a_cloud_mask_that_is_no_asset_is_refused(sentinel) -> None:
    with pytest.raises(ConfigError, match="one of their assets"):
        only(make_item(sentinel), ["red"], CloudMask.sentinel2_scl())
    with pytest.raises(SceneError, match="no asset qa"):
        only(make_item(sentinel), ["red"], CloudMask.landsat_qa(band="qa"))


def test_nothing_is_left_on_disk(sentinel, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    read_all(only(make_item(sentinel), ["red", "swir"]))
    assert sorted(tmp_path.rglob("*")) == before


def test_names_that_mean_something_in_xml_are_escaped(make_scene, tmp_path: Path) -> None:
    (tmp_path / "a & <b>").mkdir()
    paths = {
        f'"{i}" <&>': make_scene(noise(seed=i), f"a & <b>/it's {i}.tif", transform=TEN)
        for i in range(2)
    }
    scene = only(make_item(paths), list(paths))
    assert scene.bands == ('"0" <&>', '"1" <&>')
    np.testing.assert_array_equal(read_all(scene).image[1], noise(seed=1)[0])


@pytest.mark.parametrize("kind", ["path", "dict", "pystac", "collection", "collection path"])
def test_every_form_of_a_source_gives_its_items(sentinel, tmp_path: Path, kind: str) -> None:
    items = [make_item(sentinel, f"item {i}") for i in range(1 if kind[0] in "pd" else 3)]
    collection = {"type": "FeatureCollection", "features": items}
    path = tmp_path / "stac.json"
    path.write_text(json.dumps(collection if "collection" in kind else items[0]))
    source = {
        "path": path,
        "dict": items[0],
        "pystac": pystac.Item.from_dict(items[0]),
        "collection": pystac.ItemCollection.from_dict(collection),
        "collection path": str(path),
    }[kind]
    dataset = SceneDataset.from_stac(source, assets=["red", "swir"])
    assert len(dataset.scenes) == len(items)
    assert dataset.bands == ("red", "swir")
    assert dataset[dataset.bounds]["valid"].all()


@pytest.mark.parametrize("wrap", [False, True])
def test_relative_addresses_are_relative_to_the_file(sentinel, tmp_path, monkeypatch, wrap) -> None:
    item = make_item({key: f"./{path.name}" for key, path in sentinel.items()})
    path = tmp_path / "item.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [item]} if wrap else item))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert only(path, ["red", "nir"]).shape == SHAPE
    monkeypatch.chdir(tmp_path)
    assert only("item.json", ["red"]).shape == SHAPE


def test_a_catalog_gives_all_its_items(sentinel, tmp_path: Path) -> None:
    catalog = pystac.Catalog("zion", "two items")
    for i in range(2):
        item = pystac.Item(f"i{i}", None, None, datetime(2020, 5, 18 + i, tzinfo=UTC), {})
        item.add_asset("red", pystac.Asset(str(sentinel["red"])))
        catalog.add_item(item)
    catalog.normalize_and_save(str(tmp_path / "cat"), pystac.CatalogType.SELF_CONTAINED)
    dataset = SceneDataset.from_stac(
        tmp_path / "cat/catalog.json", assets=["red"], dates=("2020-05-19", None)
    )
    assert [scene.date.day for scene in dataset.scenes] == [19]


def test_an_item_without_an_asset_is_left_out(sentinel) -> None:
    poor = make_item({"red": sentinel["red"]}, "poor")
    source = {"type": "FeatureCollection", "features": [poor, make_item(sentinel)]}
    with pytest.warns(SkippedSceneWarning, match="poor has no asset nir; it has red"):
        dataset = SceneDataset.from_stac(source, assets=["red", "nir"])
    assert len(dataset.scenes) == 1
    with pytest.raises(SceneError, match="no asset nir"):
        SceneDataset.from_stac(source, assets=["red", "nir"], strict=True)


def test_what_is_no_stac_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "b.json").write_text("not json")
    for source in (tmp_path / "a.json", tmp_path / "b.json", tmp_path / "none.json", {"type": 1}):
        with pytest.raises(SceneError, match="STAC"):
            read_items(source)
    with pytest.raises(SceneError, match="holds no STAC item"):
        read_items({"type": "FeatureCollection", "features": []})


@pytest.mark.parametrize("wrong", ["crs", "rotated", "apart", "mask"])
def test_assets_that_do_not_fit_are_refused(make_scene, wrong: str) -> None:
    grids = {
        "crs": {"transform": TEN, "crs": "EPSG:32613"},
        "rotated": {"transform": TEN @ Affine.rotation(5)},
        "apart": {"transform": TEN @ Affine.translation(100, 0)},
        "mask": {"transform": TEN, "photometric": "RGB", "alpha": "YES"},
    }
    array = noise(4 if wrong == "mask" else 1, seed=1, dtype="uint8")
    assets = {
        "a": make_scene(noise(dtype="uint8"), "a.tif", transform=TEN),
        "b": make_scene(array, "b.tif", **grids[wrong]),
    }
    message = {"crs": "another coordinate", "rotated": "rotated", "apart": "share no ground",
               "mask": "alpha"}  # fmt: skip
    with pytest.raises(SceneError, match=message[wrong]):
        only(make_item(assets), ["a", "b"])


def test_without_pystac_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pystac", None)
    with pytest.raises(ConfigError, match=r"sscl-geo\[stac\]"):
        read_items({})
