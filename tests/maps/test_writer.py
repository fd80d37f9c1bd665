import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from sscl_geo.maps.writer import BandStyle, RowWriter


def geobox(height, width):
    return GeoBox((height, width), Affine(10, 0, 300_000, 0, -10, 4_000_000), "EPSG:32612")


@pytest.mark.parametrize("size", [(1, 1), (17, 513), (511, 3), (512, 8), (1100, 40)])
@pytest.mark.parametrize("chunk", [1, 100, 511, 2000])
def test_rows_come_back_however_they_were_handed_over(tmp_path, read, size, chunk):
    pixels = np.random.default_rng(0).integers(0, 9, size).astype(np.uint8)
    with RowWriter(tmp_path / "raw.tif", geobox(*size), BandStyle(255, "class")) as writer:
        for begin in range(0, len(pixels), chunk):
            writer.write(pixels[begin : begin + chunk])
    np.testing.assert_array_equal(read(writer.path), pixels)


def test_whole_rows_of_blocks_are_written_once(tmp_path, monkeypatch):
    written = []
    writer = RowWriter(tmp_path / "raw.tif", geobox(1300, 30), BandStyle(255, "class"))
    with writer:
        monkeypatch.setattr(
            writer,
            "_target",
            type(
                "Spy",
                (),
                {
                    "write": lambda *_, window: written.append(window[0]),
                    "close": writer._target.close,
                },
            )(),
        )
        for _ in range(13):
            writer.write(np.zeros((100, 30), dtype=np.uint8))
    assert written == [(0, 512), (512, 1024), (1024, 1300)]


def test_blocks_of_small_scenes_are_no_larger_than_needed(tmp_path):
    with RowWriter(tmp_path / "raw.tif", geobox(20, 33), BandStyle(255, "class")) as writer:
        writer.write(np.zeros((20, 33), dtype=np.uint8))
    with rasterio.open(writer.path) as source:
        assert source.block_shapes == [(48, 48)]


def test_style_is_kept(tmp_path):
    style = BandStyle(255, "confidence", "percent", {1: (9, 8, 7, 255)}, {"TOPIC": "täxt"})
    with RowWriter(tmp_path / "raw.tif", geobox(4, 4), style) as writer:
        writer.write(np.zeros((4, 4), dtype=np.uint8))
    with rasterio.open(writer.path) as source:
        assert (source.nodata, source.descriptions, source.units) == (
            255,
            ("confidence",),
            ("percent",),
        )
        assert source.colormap(1)[1] == (9, 8, 7, 255)
        assert source.tags()["TOPIC"] == "täxt"
