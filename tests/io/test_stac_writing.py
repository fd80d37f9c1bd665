from pathlib import Path

import pytest

from sscl_geo.errors import OutputError
from sscl_geo.io.stac_writing import asset, href, write_json


def test_files_get_addresses_relative_to_the_item(tmp_path):
    (tmp_path / "models").mkdir()
    for name in ("map.tif", "models/m 1.safetensors"):
        (tmp_path / name).touch()
    item = tmp_path / "map.stac.json"
    assert href(tmp_path / "map.tif", item) == "./map.tif"
    assert href(tmp_path / "models" / "m 1.safetensors", item) == "./models/m 1.safetensors"
    assert href(tmp_path / "map.tif", tmp_path / "models" / "m.json") == "../map.tif"


@pytest.mark.parametrize("address", ["https://example.org/a.tif", "/vsicurl/https://x/a.tif"])
def test_addresses_of_servers_stay(address):
    assert href(address, Path("map.stac.json")) == address


def test_an_asset_has_the_media_type_of_its_suffix(tmp_path):
    found = asset(tmp_path / "a.gpkg", tmp_path / "item.json", ["data"], title="x")
    assert found["type"] == "application/geopackage+sqlite3"
    assert (found["roles"], found["title"]) == (["data"], "x")
    assert "type" not in asset(tmp_path / "a.odd", tmp_path / "item.json", [])


def test_numbers_that_json_does_not_know_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="nan"):
        write_json({"a": float("nan")}, tmp_path / "a.json")
    assert not list(tmp_path.iterdir())


def test_an_unwritable_folder_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        write_json({}, tmp_path / "file" / "a.json")
