"""Real programs on a map, where they are installed; `make clients` runs the whole of it."""

from pathlib import Path

import numpy as np
import pytest
from rasterio.shutil import copy

from experiments.clients import browser_client, gdal_client, qgis_client, server_client
from experiments.clients.sample import CLASSES
from sscl_geo.classes import NODATA
from sscl_geo.maps.products.style import write_style
from sscl_geo.publishing import write_products


@pytest.fixture
def map_path(make_map, tmp_path) -> Path:
    """A COG with all products, as `segment` leaves it."""
    rng = np.random.default_rng(0)
    values = rng.choice(CLASSES.values, (25, 30)).repeat(40, 0).repeat(40, 1)
    values[:80, :80] = NODATA
    percent = rng.integers(30, 100, values.shape)
    plain = make_map(values, CLASSES, "plain.tif", percent=percent, crs="EPSG:32633")
    out = tmp_path / "map" / "map.tif"
    out.parent.mkdir()
    copy(plain, out, driver="COG", OVERVIEW_RESAMPLING="MODE", BLOCKSIZE=512, COMPRESS="DEFLATE")
    (tmp_path / "plain.tif.aux.xml").replace(out.with_name("map.tif.aux.xml"))
    confidence = out.with_suffix(".confidence.tif")
    copy(plain.with_suffix(".confidence.tif"), confidence, driver="COG", BLOCKSIZE=512)
    write_style(out.with_suffix(".qml"), CLASSES)
    write_products(out, polygons="gpkg", areas=True, page=True)
    return out


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(gdal_client, id="gdal"),
        pytest.param(server_client, id="server"),
        pytest.param(browser_client, id="browser"),
        pytest.param(qgis_client, id="qgis"),
    ],
)
def test_a_client_sees_what_was_meant(client, map_path, tmp_path):
    if client.missing():
        pytest.skip(f"needs {client.PACKAGES}")
    scratch = tmp_path / "scratch"
    scratch.mkdir(mode=0o700)
    assert list(client.check(map_path, scratch))
