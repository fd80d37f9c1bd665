"""Products of finished maps, whatever made them."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sscl_geo.bundle import save_bundle
from sscl_geo.classes import NODATA, ClassTable
from sscl_geo.errors import OutputError, SceneError
from sscl_geo.io.scene import open_scene
from sscl_geo.publishing import write_products

TABLE = ClassTable.from_values([3, 1], {1: "water", 3: "Wälder & <Forst>"})


@pytest.fixture
def values():
    found = np.full((30, 40), 3)
    found[:, 30:] = 1
    found[:6] = NODATA
    return found


@pytest.fixture
def model(make_bundle, tmp_path):
    bundle = make_bundle(bands=("red", "green", "blue"), classes=TABLE)
    return save_bundle(bundle, tmp_path / "model.safetensors")


def test_everything_lies_beside_the_map(make_map, make_scene, values, model):
    path = make_map(values, TABLE, percent=np.full(values.shape, 80))
    scene = open_scene(make_scene(np.ones((3, 30, 40), np.uint8), "scene.tif"))
    scene = replace(scene, date=datetime(2024, 5, 6, tzinfo=UTC))
    before = path.read_bytes()
    written = write_products(
        path,
        polygons="gpkg",
        areas=True,
        preview=True,
        page=True,
        stac=True,
        scene=scene,
        model=model,
    )
    assert [p.name for p in written] == [
        "map.gpkg",
        "map.areas.csv",
        "map.png",
        "map.html",
        "map.stac.json",
        "model.mlm.json",
        "catalog.json",
    ]
    assert all(p.parent == path.parent for p in written)
    assert path.read_bytes() == before
    assert gpd.read_file(written[0])["confidence"].tolist() == [80, 80]
    item = json.loads(written[4].read_text(encoding="utf-8"))
    assert {"polygons", "areas", "preview", "page", "confidence"} <= set(item["assets"])
    assert item["properties"]["datetime"] == "2024-05-06T00:00:00Z"
    links = [link["href"] for link in item["links"] if link["rel"] == "derived_from"]
    assert links == ["./scene.tif", "./model.mlm.json"]
    assert Image.open(written[2]).width > 100


def test_areas_are_a_table(make_map, values):
    (path,) = write_products(make_map(values, TABLE), areas=True)
    table = pd.read_csv(path)
    assert table.columns.tolist() == ["value", "name", "color", "pixels", "percent", "area_ha"]
    assert table["name"].tolist() == ["water", "Wälder & <Forst>"]
    assert table["pixels"].tolist() == [240, 720]
    assert table["percent"].tolist() == [25, 75]
    assert table["area_ha"].tolist() == pytest.approx([21.6, 64.8], rel=2e-3)


@pytest.mark.parametrize("suffix", ["fgb", "parquet"])
def test_polygons_in_other_formats(make_map, values, suffix):
    (path,) = write_products(make_map(values, TABLE), polygons=suffix, simplify=1.0)
    read = gpd.read_parquet if suffix == "parquet" else gpd.read_file
    assert set(read(path)["name"]) == set(TABLE.names)


def test_nothing_is_read_where_nothing_is_asked_for(tmp_path):
    assert write_products(tmp_path / "none.tif") == ()


def test_what_cannot_be_written_leaves_nothing_behind(make_map, values, monkeypatch):
    from sscl_geo import publishing

    def fail(_map, path, *_args, **_options):
        path.write_text("half")
        raise OSError("disk full")

    path = make_map(values, TABLE)
    monkeypatch.setattr(publishing, "write_polygons", fail)
    before = set(path.parent.iterdir())
    with pytest.raises(OutputError, match="disk full"):
        write_products(path, polygons="gpkg")
    assert set(path.parent.iterdir()) == before


def test_a_missing_map_is_one_sentence(tmp_path):
    with pytest.raises(SceneError, match="There is no map"):
        write_products(tmp_path / "none.tif", areas=True)
