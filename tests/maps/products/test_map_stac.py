import json
from datetime import UTC, datetime

import numpy as np
import pystac
import pytest
import shapely
from pystac.extensions.classification import ClassificationExtension
from pystac.extensions.mlm import MLMExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from stac_model.schema import MLModelProperties

from sscl_geo.classes import NODATA, ClassTable, LandCoverClass
from sscl_geo.errors import OutputError
from sscl_geo.maps.products.finished import open_map
from sscl_geo.maps.products.stac import write_catalog, write_item

TABLE = ClassTable(
    (
        LandCoverClass(9, "Wälder & <Forst>", (34, 139, 34)),
        LandCoverClass(1, "water", (30, 60, 200)),
    )
)
TAGS = {
    "SSCL_GEO_SCENE": "scene.tif",
    "SSCL_GEO_BUNDLE": "m.safetensors",
    "SSCL_GEO_BUNDLE_SHA256": "ab12",
    "SSCL_GEO_VERSION": "0.1.0",
}


@pytest.fixture
def finished(make_map):
    def make(**options):
        values = np.full((40, 60), 9)
        values[:, 45:] = 1
        values[:10] = NODATA
        return open_map(make_map(values, TABLE, tags=TAGS, **options))

    return make


def read(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    JsonSchemaSTACValidator().validate_core(
        document, pystac.STACObjectType(document["type"]), "1.1.0"
    )
    return document


@pytest.mark.parametrize("grid", ["utm", "south_up", "rotated", "geographic", "web_mercator"])
def test_an_item_is_valid_and_lies_where_the_map_lies(finished, grid):
    from rasterio.warp import transform

    found = finished(grid=grid)
    item = pystac.Item.from_dict(read(write_item(found)))
    x, y = found.geobox.affine @ (30, 20)
    lon, lat = transform(found.geobox.crs.to_wkt(), "EPSG:4326", [x], [y])
    outline = shapely.geometry.shape(item.geometry)
    assert outline.is_valid
    assert outline.contains(shapely.Point(lon[0], lat[0]))
    assert outline.bounds == pytest.approx(item.bbox, abs=1e-6)
    projection = ProjectionExtension.ext(item)
    assert projection.code == f"EPSG:{found.geobox.crs.epsg}"
    assert projection.shape == [40, 60]
    assert projection.transform[:6] == list(found.geobox.affine)[:6]


@pytest.mark.parametrize(("grid", "metres"), [("utm", 30), ("rotated", 10), ("geographic", 27.6)])
def test_the_resolution_is_in_metres_on_every_grid(finished, grid, metres):
    band = read(write_item(finished(grid=grid)))["assets"]["map"]["bands"][0]
    assert band["raster:spatial_resolution"] == pytest.approx(metres, abs=0.5)


@pytest.mark.parametrize("grid", ["utm", "rotated", "geographic"])
def test_fields_are_those_of_the_extensions_and_of_their_types(finished, grid):
    pytest.importorskip("stac_pydantic_extensions")
    from stac_pydantic_extensions.extensions.processing import ProcessingFields
    from stac_pydantic_extensions.extensions.proj import ProjectionFields
    from stac_pydantic_extensions.extensions.raster import RasterFields

    item = read(write_item(finished(grid=grid)))
    band = item["assets"]["map"]["bands"][0]
    for fields, model, prefix in (
        (item["properties"], ProjectionFields, "proj:"),
        (item["properties"], ProcessingFields, "processing:"),
        (band, RasterFields, "raster:"),
    ):
        own = {name: value for name, value in fields.items() if name.startswith(prefix)}
        known = {field.alias or f"{prefix}{name}" for name, field in model.model_fields.items()}
        assert own
        assert set(own) <= known
        model.model_validate(own)


def test_classes_have_names_colors_and_shares(finished):
    item = pystac.Item.from_dict(read(write_item(finished())))
    band = item.assets["map"].extra_fields["bands"][0]
    assert band["nodata"] == NODATA
    first, second, nodata = band["classification:classes"]
    assert (first["value"], first["title"], first["color_hint"]) == (
        9,
        "Wälder & <Forst>",
        "228B22",
    )
    assert (first["count"], first["percentage"]) == (1350, 75)
    assert second["value"] == 1
    assert nodata["nodata"]
    assert ClassificationExtension.has_extension(item)


def test_it_is_said_what_a_map_comes_from(finished, tmp_path):
    scene, model = tmp_path / "scene.tif", tmp_path / "m.mlm.json"
    scene.touch()
    model.write_text("{}")
    taken = datetime(2024, 5, 6, 7, tzinfo=UTC)
    item = read(write_item(finished(), scene=scene, model_item=model, observed=taken))
    derived = [link["href"] for link in item["links"] if link["rel"] == "derived_from"]
    assert derived == ["./scene.tif", "./m.mlm.json"]
    assert item["properties"]["datetime"] == "2024-05-06T07:00:00Z"
    assert item["properties"]["processing:level"] == "L4"
    assert "ab12" in item["properties"]["processing:lineage"]


def test_files_beside_the_map_are_assets(finished, tmp_path):
    found = finished(percent=np.full((40, 60), 80))
    for name in ("map.qml", "map.gpkg", "map.areas.csv", "map.entropy.tif", "other.gpkg"):
        (tmp_path / name).touch()
    assets = read(write_item(found))["assets"]
    expected = {"map", "attributes", "style", "polygons", "areas", "confidence", "entropy"}
    assert set(assets) == expected
    assert all((tmp_path / a["href"]).is_file() for a in assets.values())


def test_a_local_grid_has_no_place_but_a_valid_item(finished):
    item = read(write_item(finished(crs='LOCAL_CS["site",UNIT["metre",1]]')))
    assert item["geometry"] is None
    assert "bbox" not in item
    assert item["properties"]["proj:code"] is None


def test_a_catalogue_lists_maps_and_models(finished, tmp_path, model):
    from sscl_geo.bundle import load_bundle
    from sscl_geo.mlm import write_model_item

    item = tmp_path / "model.mlm.json"
    write_model_item(load_bundle(model), model, item)
    write_item(finished(), model_item=item)
    catalog = pystac.Catalog.from_file(write_catalog(tmp_path))
    read(tmp_path / "catalog.json")
    items = {i.id: i for i in catalog.get_items()}
    assert set(items) == {"map", "model"}
    assert items["map"].get_single_link("derived_from").get_absolute_href() == str(item)
    assert items["map"].get_root() is catalog


def test_a_file_that_is_no_item_is_named(tmp_path):
    (tmp_path / "odd.stac.json").write_text("[]")
    with pytest.raises(OutputError, match=r"odd\.stac\.json is no STAC item"):
        write_catalog(tmp_path)


@pytest.fixture
def model(make_bundle, tmp_path):
    import torch

    from sscl_geo.bundle import save_bundle

    bundle = make_bundle(
        mean=(1.0, 2.0), resolution=(10.0, 10.0), classes=TABLE, state_dict={"w": torch.zeros(3)}
    )
    return save_bundle(bundle, tmp_path / "model.safetensors")


def test_a_model_item_is_valid_and_says_what_the_model_needs(model, tmp_path):
    from sscl_geo.bundle import load_bundle
    from sscl_geo.mlm import write_model_item

    (tmp_path / "model.onnx").touch()
    path = write_model_item(
        load_bundle(model), model, tmp_path / "m.mlm.json", {"onnx": tmp_path / "model.onnx"}
    )
    item = pystac.Item.from_dict(read(path))
    assert item.assets["model"].extra_fields["mlm:artifact_type"] == "safetensors.torch.save_file"
    assert item.assets["onnx"].roles == ["mlm:model"]
    described = MLMExtension.ext(item)
    assert described.input[0].bands == ["red", "nir"]
    assert described.output[0].tasks == ["semantic-segmentation"]
    fields = {k: v for k, v in item.properties.items() if k.startswith("mlm:")}
    assert MLModelProperties.model_validate(fields).name == "sscl-geo unet resnet18"
