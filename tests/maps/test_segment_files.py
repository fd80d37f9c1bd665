"""What segment writes, seen as GDAL, rio-cogeo and pyogrio see it."""

import json
import xml.etree.ElementTree as ET

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.features import rasterize
from rasterio.shutil import copy
from rio_cogeo.cogeo import cog_validate

import sscl_geo
from sscl_geo.classes import NODATA
from sscl_geo.io.legend import read_legend
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.segment import segment


@pytest.fixture
def made(make_scene, make_pixels, convolution, tmp_path):
    pixels = make_pixels(611, 530, nodata_corner=True)
    return segment(
        open_scene(make_scene(pixels, nodata=0)),
        convolution,
        tmp_path / "out" / "map.tif",
        layers=["confidence"],
        polygons=tmp_path / "out" / "regions.gpkg",
        provenance={"bundle_sha256": "abc"},
    )


def as_gdal_sees_it(path):
    """GDAL's own description of the first band of a raster, read through its VRT driver."""
    vrt = path.with_name("described.vrt")
    copy(path, vrt, driver="VRT")
    return ET.parse(vrt).getroot().find("VRTRasterBand")  # noqa: S314 - GDAL wrote it


def test_only_the_products_are_left_in_the_folder(made, tmp_path):
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "map.confidence.tif",
        "map.qml",
        "map.tif",
        "map.tif.aux.xml",
        "regions.gpkg",
    ]
    assert made.style.name == "map.qml"
    assert made.attributes.name == "map.tif.aux.xml"


@pytest.mark.parametrize("size", [(1, 1), (511, 100), (512, 512), (513, 40), (611, 1100)])
def test_rasters_are_strictly_valid_cogs(make_scene, make_pixels, constant, tmp_path, size):
    made = segment(
        open_scene(make_scene(make_pixels(*size))),
        constant((0.2, 0.5, 0.3)),
        tmp_path / "map.tif",
        layers=["confidence"],
    )
    for path in (made.class_map, made.confidence):
        assert cog_validate(path, strict=True) == (True, [], [])


def test_overviews_hold_only_classes_of_the_map(made):
    with rasterio.open(made.class_map) as full:
        values = set(np.unique(full.read(1)))
        assert full.overviews(1) == [2]
    with rasterio.open(made.class_map, overview_level=0) as overview:
        assert set(np.unique(overview.read(1))) <= values


def test_gdal_reads_names_colors_and_nodata(made, convolution):
    legend = read_legend(made.class_map)
    assert legend.names == {c.value: c.name for c in convolution.classes}
    assert {v: legend.colors[v] for v in legend.names} == {
        c.value: c.color for c in convolution.classes
    }
    with rasterio.open(made.class_map) as target:
        assert target.nodata == NODATA
        assert target.dtypes == ("uint8",)
        assert target.colormap(1)[NODATA][:3] == (0, 0, 0)


@pytest.mark.parametrize("beside", [True, False])
def test_gdal_reads_the_attribute_table_also_without_the_file_beside(made, convolution, beside):
    with rasterio.open(made.class_map) as target:
        values = target.read(1)
    if not beside:
        made.attributes.unlink()
    table = as_gdal_sees_it(made.class_map).find("GDALRasterAttributeTable")
    columns = [(f.findtext("Name"), f.findtext("Usage")) for f in table.findall("FieldDefn")]
    assert columns == [
        ("Value", "5"),
        ("Class", "2"),
        ("Red", "6"),
        ("Green", "7"),
        ("Blue", "8"),
        ("Count", "1"),
        ("Area_ha", "0"),
    ]
    for row, c in zip(table.findall("Row"), convolution.classes, strict=True):
        value, name, *color, count, area = [f.text for f in row.findall("F")]
        assert (int(value), name, tuple(map(int, color))) == (c.value, c.name, c.color)
        assert int(count) == (values == c.value).sum()
        assert float(area) == pytest.approx(int(count) * 0.09, rel=2e-3)


def test_tags_say_where_the_map_comes_from(made):
    with rasterio.open(made.class_map) as target:
        tags = target.tags()
    assert tags["TIFFTAG_SOFTWARE"] == f"sscl-geo {sscl_geo.__version__}"
    assert tags["SSCL_GEO_BUNDLE_SHA256"] == "abc"
    assert tags["SSCL_GEO_SCENE"] == "scene.tif"
    assert json.loads(tags["SSCL_GEO_PARAMETERS"])["tile"] == 256


def test_confidence_is_the_probability_of_the_class_in_percent(
    made, make_pixels, convolution, read
):
    pixels = make_pixels(611, 530, nodata_corner=True)
    expected = convolution.whole(pixels.astype(np.float32)).max(axis=0) * 100
    valid = (pixels != 0).all(axis=0)
    percent = read(made.confidence)
    np.testing.assert_array_equal(percent == NODATA, ~valid)
    np.testing.assert_allclose(percent[valid], expected[valid], atol=0.501)
    with rasterio.open(made.confidence) as target:
        assert target.nodata == NODATA
        assert target.units == ("percent",)


def test_polygons_burned_back_are_the_map(made, read):
    regions = gpd.read_file(made.polygons)
    with rasterio.open(made.class_map) as target:
        burned = rasterize(
            zip(regions.geometry, regions["value"], strict=True),
            out_shape=target.shape,
            transform=target.transform,
            fill=NODATA,
            dtype="uint8",
        )
        assert regions.crs == target.crs
    np.testing.assert_array_equal(burned, read(made.class_map))


def test_an_earlier_map_is_replaced(made, make_scene, make_pixels, constant, read):
    scene = open_scene(make_scene(make_pixels(20, 30), "other.tif"))
    again = segment(scene, constant((0.2, 0.5, 0.3)), made.class_map)
    assert again.class_map == made.class_map
    assert (read(made.class_map) == np.full((20, 30), 1)).all()


@pytest.mark.parametrize("layers", [["confidence"], []])
def test_polygons_have_the_mean_confidence_where_it_is_written(
    make_scene, make_pixels, convolution, tmp_path, layers
):
    made = segment(
        open_scene(make_scene(make_pixels(60, 50))),
        convolution,
        tmp_path / "map.tif",
        layers=layers,
        polygons=tmp_path / "regions.gpkg",
    )
    frame = gpd.read_file(made.polygons)
    assert ("confidence" in frame) == bool(layers)
    if layers:
        with rasterio.open(made.confidence) as source:
            percent, transform = source.read(1), source.transform
        for region in frame.sample(5, random_state=0).itertuples():
            inside = rasterize([region.geometry], percent.shape, transform=transform) > 0
            assert region.confidence == pytest.approx(percent[inside].mean())
