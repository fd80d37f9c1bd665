"""A map of 300 classes, from the network to every product and back."""

import base64
import json
import re
import xml.etree.ElementTree as ET
from io import BytesIO

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from PIL import Image
from rasterio.features import rasterize
from rasterio.shutil import copy
from rio_cogeo.cogeo import cog_validate

from sscl_geo.bundle import load_bundle, save_bundle
from sscl_geo.classes import ClassTable, LandCoverClass, default_color
from sscl_geo.cli.view import view
from sscl_geo.errors import LabelError, SceneError
from sscl_geo.evaluation import evaluate
from sscl_geo.io.class_table import read_class_table
from sscl_geo.io.labels import open_labels
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.layers import most_probable
from sscl_geo.maps.postprocess import PostProcessing
from sscl_geo.maps.products.finished import open_map
from sscl_geo.maps.segment import segment
from sscl_geo.publishing import write_products
from sscl_geo.report.evaluation import write_evaluation
from sscl_geo.report.quicklook import draw_quicklook

NODATA = 65_535
TABLE = ClassTable(
    tuple(LandCoverClass(i + 1, f"Klasse {i + 1} & <{i}>", default_color(i)) for i in range(300))
)
"""Values 1 to 300, 255 among them."""


class Copy:
    """Sure that a pixel of value v belongs to class v."""

    bands = ("code", "other")
    classes = TABLE
    stride = 1

    def __call__(self, image, _valid):
        index = image[:, 0].long().clamp(1, 300) - 1
        return torch.nn.functional.one_hot(index, 300).movedim(-1, 1).float()


@pytest.fixture(scope="module")
def codes():
    """Fields of 4 x 4 pixels with single pixels in them; a corner has no data."""
    fields = np.arange(130 * 20).reshape(130, 20) % 300 + 1
    pixels = fields.repeat(4, axis=0).repeat(4, axis=1)
    pixels[1::12, 1::8] = 300
    pixels[:20, :30] = 0
    return pixels


@pytest.fixture(scope="module")
def made(codes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    grid = {"crs": "EPSG:32612", "transform": Affine(30, 0, 300_015, 0, -30, 4_100_025)}
    with rasterio.open(
        folder / "scene.tif", "w", "GTiff", 80, 520, 2, dtype="uint16", nodata=0, **grid
    ) as target:
        target.write(np.stack([codes, codes]).astype(np.uint16))
    return segment(
        open_scene(folder / "scene.tif"), Copy(), folder / "map.tif", layers=["confidence"]
    )


def expected(codes):
    return np.where(codes == 0, NODATA, codes)


def test_the_map_holds_the_values_in_16_bits(made, codes):
    with rasterio.open(made.class_map) as source:
        assert (source.dtypes, source.nodata) == (("uint16",), NODATA)
        np.testing.assert_array_equal(source.read(1), expected(codes))
        assert source.overviews(1) == [2]
    assert cog_validate(made.class_map, strict=True) == (True, [], [])
    with rasterio.open(made.class_map, overview_level=0) as overview:
        assert set(np.unique(overview.read(1))) <= {*range(1, 301), NODATA}


def test_gdal_reads_names_colours_and_attribute_table(made, codes, tmp_path):
    with rasterio.open(made.class_map) as source:
        colors = source.colormap(1)
    assert [colors[c.value][:3] for c in TABLE] == [c.color for c in TABLE]
    copy(made.class_map, tmp_path / "described.vrt", driver="VRT")
    band = ET.parse(tmp_path / "described.vrt").getroot().find("VRTRasterBand")  # noqa: S314 - GDAL wrote it
    names = [c.text for c in band.findall("CategoryNames/Category")]
    assert names == [None, *TABLE.names]
    rows = [[f.text for f in r.findall("F")] for r in band.findall("GDALRasterAttributeTable/Row")]
    assert [(int(r[0]), r[1]) for r in rows] == [(c.value, c.name) for c in TABLE]
    counts = np.bincount(codes.ravel(), minlength=301)[1:]
    assert [int(r[5]) for r in rows] == counts.tolist()


def test_the_style_is_the_class_table(made):
    assert read_class_table(made.style) == TABLE


def test_a_finished_map_knows_itself(made, codes):
    found = open_map(made.class_map)
    assert found.classes == TABLE
    assert found.nodata == NODATA
    assert (
        found.areas()["pixels"].tolist() == np.bincount(codes.ravel(), minlength=301)[1:].tolist()
    )


def test_polygons_burn_back_into_the_map(made, codes):
    path, _, item, *_ = write_products(made.class_map, polygons="gpkg", areas=True, stac=True)
    frame = gpd.read_file(path)
    assert set(zip(frame["value"], frame["name"], strict=True)) == {
        (c.value, c.name) for c in TABLE
    }
    assert (frame["confidence"] == 100).all()
    with rasterio.open(made.class_map) as source:
        burnt = rasterize(
            zip(frame.geometry, frame["value"], strict=True),
            source.shape,
            fill=NODATA,
            transform=source.transform,
            dtype="uint16",
        )
    np.testing.assert_array_equal(burnt, expected(codes))
    band = json.loads(item.read_text())["assets"]["map"]["bands"][0]
    assert (band["data_type"], band["nodata"]) == ("uint16", NODATA)
    assert len(band["classification:classes"]) == 301


def test_the_page_holds_the_values_as_low_and_high_bytes(made, codes, tmp_path):
    page = view(made.class_map, out=tmp_path / "page.html").read_text()
    data = json.loads(re.search(r'id="map">(.*?)</script>', page, re.DOTALL).group(1))
    content = data["image"].partition(",")[2]
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(content)))).astype(int)
    assert data["bytes"] == 2
    np.testing.assert_array_equal(pixels[..., 0] + 256 * pixels[..., 1], expected(codes))


def test_the_quicklook_shows_the_colours(made):
    picture = np.asarray(
        Image.open(BytesIO(draw_quicklook(open_map(made.class_map)))).convert("RGB")
    )
    shown = {tuple(color) for color in picture.reshape(-1, 3).tolist()}
    assert sum(c.color in shown for c in TABLE) > 290


@pytest.mark.parametrize("post", [PostProcessing(majority=3), PostProcessing(sieve=9)])
def test_tidying_keeps_to_the_classes_and_the_data(make_scene, codes, tmp_path, post):
    scene = make_scene(np.stack([codes, codes]).astype(np.uint16), nodata=0)
    made = segment(open_scene(scene), Copy(), tmp_path / "map.tif", post=post)
    with rasterio.open(made.class_map) as source:
        values = source.read(1)
    np.testing.assert_array_equal(values == NODATA, codes == 0)
    assert set(np.unique(values)) <= {*range(1, 301), NODATA}
    assert (values > 255).any()
    assert (values != expected(codes)).any()


def test_the_map_reads_as_labels_and_is_right_against_itself(made, codes, tmp_path):
    labels = open_labels(made.class_map)
    assert labels.classes.names == TABLE.names
    indices = labels.on_grid(labels.scene.geobox)
    assert indices.dtype == np.uint16
    np.testing.assert_array_equal(indices, np.where(codes == 0, NODATA, codes - 1))
    result = evaluate(made.class_map, made.class_map)
    np.testing.assert_array_equal(
        result.confusion, np.diag(np.bincount(codes.ravel(), minlength=301)[1:])
    )
    assert result.overall_accuracy == 1
    assert write_evaluation(result, tmp_path / "scores.csv").is_file()


def test_confusion_of_high_values_is_counted(make_map, codes):
    wrong = codes.copy()
    wrong[codes == 255] = 256
    wrong[codes == 300] = 7
    truth = make_map(expected(codes), TABLE, "truth.tif")
    result = evaluate(make_map(expected(wrong), TABLE), truth)
    counts = np.bincount(codes.ravel(), minlength=301)
    assert result.confusion[254, 255] == counts[255]
    assert result.confusion[299, 6] == counts[300]
    assert result.confusion.trace() == counts[1:].sum() - counts[255] - counts[300]


@pytest.mark.parametrize("named", [True, False])
def test_high_values_are_classes_only_where_they_have_names(make_scene, named):
    """An image of 16 bits is not taken for a map, nor for labels."""
    path = make_scene(np.array([[[1, 300]]], np.uint16))
    if named:
        table = ClassTable.from_values([1, 300], {300: "rock"})
        path.with_suffix(".qml").write_text(
            "<qgis><pipe><rasterrenderer type='paletted'><colorPalette>"
            "<paletteEntry value='1' label='sea' color='#0000ff'/>"
            "<paletteEntry value='300' label='rock' color='#ff0000'/>"
            "</colorPalette></rasterrenderer></pipe></qgis>"
        )
        assert open_map(path).classes.names == ("sea", "rock")
        assert open_labels(path).classes.values == table.values
        return
    with pytest.raises(SceneError, match="holds the value 300, which has no name"):
        open_map(path)
    with pytest.raises(LabelError, match="holds 300, which is no class value"):
        open_labels(path)
    assert open_labels(path, ClassTable.from_values([1, 300])).classes.values == (1, 300)


def test_255_stays_without_a_label_among_low_values(make_scene):
    path = make_scene(np.array([[[1, 255, 7]]], np.uint16))
    assert open_labels(path).on_grid(open_scene(path).geobox).tolist() == [[0, 255, 1]]
    high = open_labels(path, ClassTable.from_values([1, 7, 255, 300]))
    assert high.on_grid(high.scene.geobox).tolist() == [[0, 2, 1]]


def test_all_of_256_classes_stay_classes(make_map):
    """No value is above 255 then, and 255 is a class like the others."""
    table = ClassTable.from_values(range(256), {v: f"c{v}" for v in range(256)})
    values = np.arange(272).reshape(16, 17) % 256
    path = make_map(values, table)
    assert open_map(path).classes.names == table.names
    np.testing.assert_array_equal(open_labels(path).on_grid(open_scene(path).geobox), values)
    assert evaluate(path, path).confusion.trace() == 272


@pytest.mark.parametrize("count", [256, 257, 300])
def test_the_first_of_the_largest_wins_among_many(count):
    values = torch.rand(count, 40, 50)
    values[count - 1, 0] = 2
    np.testing.assert_array_equal(most_probable(values), values.argmax(dim=0))


@pytest.mark.slow
def test_labels_of_300_classes_train_a_network_that_draws_them(make_scene, codes, tmp_path):
    from sscl_geo.finetuning import finetune
    from sscl_geo.models.predictor import build_predictor

    scene = make_scene(np.stack([codes, codes])[:, :128, :128].astype(np.uint16), nodata=0)
    values = expected(codes)[:128, :128].astype(np.uint16)
    labels = make_scene(values[None], "labels.tif", nodata=NODATA)
    TABLE.to_csv(tmp_path / "classes.csv")
    options = {"classes": tmp_path / "classes.csv", "patch_size": 32, "batch_size": 2, "steps": 2}
    finetune(scene, labels, out=tmp_path / "model.safetensors", accelerator="cpu", **options)
    bundle = load_bundle(tmp_path / "model.safetensors")
    assert bundle.classes == TABLE
    made = segment(open_scene(scene), build_predictor(bundle), tmp_path / "map.tif", tile=64)
    with rasterio.open(made.class_map) as source:
        assert set(np.unique(source.read(1))) <= {*range(1, 301), NODATA}


def test_a_bundle_keeps_300_classes(make_bundle, tmp_path):
    bundle = make_bundle(bands=("red",), classes=TABLE)
    assert load_bundle(save_bundle(bundle, tmp_path / "m.safetensors")).classes == TABLE
