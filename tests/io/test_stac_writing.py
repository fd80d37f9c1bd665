from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely.geometry
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from sscl_geo.errors import OutputError
from sscl_geo.io.stac_writing import asset, href, stac_item, write_json


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


def place(crs, affine, shape):
    """The geometry and box of an item."""
    item = stac_item(
        "a", moment=datetime.now(UTC), properties={}, assets={}, geobox=GeoBox(shape, affine, crs)
    )
    return item["geometry"], item.get("bbox")


PLACES = {
    "utm": ("EPSG:32612", Affine(30, 0, 3e5, 0, -30, 41e5), (300, 200)),
    "south up": ("EPSG:32712", Affine(30, 0, 3e5, 0, 30, 70e5), (300, 200)),
    "rotated": ("EPSG:32612", Affine(30, 9, 3e5, 9, -30, 41e5), (300, 200)),
    "across the antimeridian": ("EPSG:32660", Affine(300, 0, 78e4, 0, -300, 12e5), (300, 400)),
    "across it in degrees": ("EPSG:4326", Affine(0.05, 0, 170, 0, -0.05, 5), (200, 400)),
    "beyond it": ("EPSG:4326", Affine(0.05, 0, 200, 0, -0.05, 5), (200, 400)),
    "north pole": ("EPSG:3413", Affine(30e3, 0, -2e6, 0, -30e3, 1e6), (100, 100)),
    "south pole": ("EPSG:3031", Affine(5e3, 0, -0.5e6, 0, 5e3, -0.6e6), (200, 200)),
    "beside a pole": ("EPSG:3413", Affine(3e3, 0, 1e5, 0, -3e3, 1e6), (100, 100)),
    "globe": ("EPSG:4326", Affine(1, 0, -180, 0, -1, 90), (180, 360)),
    "globe from 0 to 360": ("EPSG:4326", Affine(1, 0, 0, 0, -1, 60), (100, 360)),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_geometry_holds_the_ground_that_the_grid_holds_and_no_other(name):
    crs, affine, (height, width) = PLACES[name]
    geometry, box = place(*PLACES[name])
    outline = shapely.geometry.shape(geometry)
    assert outline.is_valid
    # Points of a wider grid, but for those so near its edge that the outline's chords decide.
    row, col = np.mgrid[-0.1:1.1:61j, -0.1:1.1:61j] + 0.00137
    inside = (row > 0) & (row < 1) & (col > 0) & (col < 1)
    near = (np.abs(row) < 0.01) | (np.abs(row - 1) < 0.01)
    near |= (np.abs(col) < 0.01) | (np.abs(col - 1) < 0.01)
    x, y = affine * (col * width, row * height)
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    lon = (lon + 180) % 360 - 180
    is_ground = ~near & (np.abs(lat) < 90)
    if name.startswith("globe"):  # beyond its edge it begins again
        is_ground &= (col > 0.01) & (col < 0.99)
    held = shapely.contains_xy(outline, lon, lat)
    assert np.array_equal(held[is_ground], inside[is_ground])
    west, south, east, north = box
    assert -180 <= west <= 180
    assert -180 <= east <= 180
    in_box = (lat >= south) & (lat <= north)
    in_box &= (lon >= west) & (lon <= east) if west <= east else (lon >= west) | (lon <= east)
    assert in_box[inside & is_ground].all()


def test_a_box_across_the_antimeridian_begins_in_the_west():
    assert place(*PLACES["across it in degrees"])[1] == [170, -5, -170, 5]


def test_a_grid_with_its_corners_in_space_has_no_geometry():
    disc = "+proj=ortho +lat_0=40 +lon_0=10", Affine(80e3, 0, -64e5, 0, -80e3, 64e5), (160, 160)
    assert place(*disc) == (None, None)
