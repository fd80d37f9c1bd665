import subprocess
import sys

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize, shapes

from sscl_geo.classes import NODATA, ClassTable, LandCoverClass
from sscl_geo.errors import OutputError
from sscl_geo.maps.class_areas import ClassAreas
from sscl_geo.maps.products import polygons
from sscl_geo.maps.products.polygons import write_polygons

TABLE = ClassTable(
    (LandCoverClass(0, "zero <&>", (0, 0, 0)), LandCoverClass(200, "Wälder", (1, 1, 1)))
)


@pytest.fixture
def trace(make_scene, tmp_path):
    def make(values, grid="utm", suffix=".gpkg", percent=None, simplify=0.0, **options):
        path = make_scene(values[None].astype(np.uint8), grid=grid, nodata=NODATA, **options)
        confidence = None
        if percent is not None:
            confidence = make_scene(
                percent[None].astype(np.uint8), "confidence.tif", grid=grid, nodata=NODATA
            )
        with rasterio.open(path) as source:  # not open_scene, which refuses local grids
            geobox = GeoBox(source.shape, source.transform, source.crs)
        out = tmp_path / f"regions{suffix}"
        write_polygons(path, out, TABLE, geobox, confidence=confidence, simplify=simplify)
        read = gpd.read_parquet if suffix == ".parquet" else gpd.read_file
        return read(out), geobox

    return make


def burn(regions, geobox):
    return rasterize(
        zip(regions.geometry, regions["value"], strict=True),
        out_shape=geobox.shape,
        transform=geobox.affine,
        fill=NODATA,
        dtype="uint8",
    )


def patches(height=40, width=61):
    """Random fields of 5 x 5 pixels of two classes and of nodata."""
    rng = np.random.default_rng(3)
    coarse = rng.choice([0, 200, NODATA], (-(-height // 5), -(-width // 5)))
    return coarse.repeat(5, 0).repeat(5, 1)[:height, :width]


@pytest.mark.parametrize("grid", ["utm", "south_up", "rotated", "geographic"])
def test_regions_burned_back_give_the_map(trace, grid):
    values = np.random.default_rng(3).choice([0, 200, NODATA], (40, 61))
    regions, geobox = trace(values, grid)
    np.testing.assert_array_equal(burn(regions, geobox), values)


def test_a_region_is_one_polygon_with_its_holes_and_its_name(trace):
    values = np.full((30, 30), 200)
    values[10:20, 10:20] = 0
    values[12:14, 12:14] = NODATA
    regions, _ = trace(values)
    assert sorted(zip(regions["value"], regions["name"], strict=True)) == [
        (0, "zero <&>"),
        (200, "Wälder"),
    ]
    assert regions.geometry.is_valid.all()
    by_value = regions.set_index("value").geometry
    assert by_value[200].area == 800 * 900
    assert len(by_value[0].interiors) == 1


def test_pixels_that_touch_at_a_corner_are_apart(trace):
    values = np.indices((6, 6)).sum(axis=0) % 2 * 200
    regions, _ = trace(values)
    assert len(regions) == 36
    assert regions.geometry.is_valid.all()


def test_area_is_on_the_ground_in_hectares(trace):
    values = np.full((30, 30), 200)
    regions, _ = trace(values)
    assert regions["area_ha"].item() == pytest.approx(900 * 0.09, rel=2e-3)


def test_no_area_is_made_up_for_a_local_grid(trace):
    regions, _ = trace(np.full((3, 3), 0), crs='LOCAL_CS["site",UNIT["metre",1]]')
    assert "area_ha" not in regions


@pytest.mark.parametrize("rows", [1, 3, 40])
def test_regions_that_reach_over_strips_are_whole(trace, rows, monkeypatch):
    monkeypatch.setattr(polygons, "STRIP", rows * 61)
    values = patches()
    regions, geobox = trace(values)
    np.testing.assert_array_equal(burn(regions, geobox), values)
    whole = [v for _, v in shapes(values.astype(np.uint8), connectivity=4) if v != NODATA]
    assert len(regions) == len(whole)


def test_what_is_simplified_in_strips_has_as_many_regions_and_stays_in_place(trace, monkeypatch):
    row, col = np.mgrid[:120, :90]
    values = np.array([0, 200, NODATA])[np.digitize(np.sin(col / 7) + np.cos(row / 9), [-0.7, 0.6])]
    exact, _ = trace(values)
    monkeypatch.setattr(polygons, "STRIP", 11 * 90)
    regions, geobox = trace(values, simplify=1.5)
    assert len(regions) == len(exact)
    changed = burn(regions, geobox) != values
    assert changed.mean() < 0.02


def test_many_regions_are_written_in_chunks(trace, monkeypatch):
    monkeypatch.setattr(polygons, "CHUNK", 7)
    regions, _ = trace(np.indices((6, 6)).sum(axis=0) % 2 * 200)
    assert len(regions) == 36


@pytest.mark.parametrize("suffix", [".fgb", ".parquet"])
def test_every_format_holds_the_same(trace, suffix):
    values = patches()
    regions, geobox = trace(values, suffix=suffix, percent=np.full(values.shape, 70))
    assert set(regions.columns) == {"value", "name", "area_ha", "confidence", "geometry"}
    assert regions.crs.to_epsg() == 32612
    np.testing.assert_array_equal(burn(regions, geobox), values)


def test_another_suffix_is_refused_with_those_that_work(trace):
    with pytest.raises(OutputError, match=r"\.gpkg, \.fgb, \.parquet"):
        trace(patches(), suffix=".shp")


@pytest.mark.parametrize("grid", ["utm", "rotated"])
def test_confidence_is_the_mean_over_the_regions_pixels(trace, grid, monkeypatch):
    monkeypatch.setattr(polygons, "STRIP", 7 * 61)
    values = patches()
    percent = np.random.default_rng(0).integers(0, 101, values.shape)
    regions, geobox = trace(values, grid, percent=percent)
    assert len(regions) > 5
    for region in regions.itertuples():
        own = rasterize([region.geometry], values.shape, transform=geobox.affine) == 1
        assert region.confidence == pytest.approx(percent[own].mean())


def test_confidence_without_data_is_missing(trace):
    regions, _ = trace(np.zeros((4, 4)), percent=np.full((4, 4), NODATA))
    assert regions["confidence"].isna().all()


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".parquet"])
def test_a_map_without_data_has_no_polygons(trace, suffix):
    regions, _ = trace(np.full((5, 5), NODATA), suffix=suffix, percent=np.full((5, 5), NODATA))
    assert len(regions) == 0


@pytest.mark.parametrize("strip", [7, 80])
@pytest.mark.parametrize("grid", ["utm", "south_up", "rotated", "geographic"])
def test_simplified_neighbours_keep_their_shared_borders(trace, grid, strip, monkeypatch):
    monkeypatch.setattr(polygons, "STRIP", strip * 90)
    row, col = np.mgrid[:80, :90]
    waves = np.digitize(np.sin(col / 7 + row / 20) + np.cos(row / 6), [-0.7, 0.6])
    waves = np.where(row > 0.4 * col + 20, waves, (waves + 1) % 3)  # three meet along a line
    values = np.array([0, 200, NODATA])[waves]
    exact, geobox = trace(values, grid)
    regions, _ = trace(values, grid, simplify=1.5)
    back = shapely.transform(
        regions.geometry.to_numpy(),
        lambda xy: np.rint(np.array((~geobox.affine) @ tuple(xy.T)).T),
    )
    assert shapely.coverage_is_valid(back)
    assert shapely.get_num_coordinates(back).sum() < exact.count_coordinates().sum() / 2
    assert regions.geometry.is_valid.all()
    assert shapely.area(back).sum() == pytest.approx(shapely.union_all(back).area, rel=1e-6)
    assert regions["area_ha"].sum() == pytest.approx(exact["area_ha"].sum(), rel=0.02)


@pytest.mark.parametrize("grid", ["utm", "non_square", "geographic", "web_mercator"])
def test_areas_of_regions_add_up_to_those_of_the_classes(trace, grid):
    values = patches(200, 300)
    regions, geobox = trace(values, grid)
    areas = ClassAreas(geobox)
    areas.add(values.astype(np.uint8))
    for value in (0, 200):
        own = regions.loc[regions["value"] == value, "area_ha"].sum()
        assert own == pytest.approx(areas.hectares[value], rel=1e-5)


def test_a_geopackage_is_of_a_version_that_older_readers_know(trace, tmp_path):
    import sqlite3

    trace(patches())
    with sqlite3.connect(tmp_path / "regions.gpkg") as database:
        assert database.execute("PRAGMA user_version").fetchone() == (10200,)


TALL = """
import sys
from pathlib import Path
import rasterio
from odc.geo.geobox import GeoBox
from sscl_geo.classes import ClassTable
from sscl_geo.maps.products import polygons
from sscl_geo.process_memory import peak_rss

polygons.STRIP, polygons.CHUNK = 2**16, 1000
path = Path(sys.argv[1])
with rasterio.open(path) as source:
    grid = GeoBox(source.shape, source.transform, source.crs)
before = peak_rss()
polygons.write_polygons(path, path.with_suffix(sys.argv[2]), ClassTable.from_values([0, 200]), grid)
print(peak_rss() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the peak")
@pytest.mark.parametrize("suffix", [".gpkg", ".parquet"])
def test_memory_does_not_grow_with_the_height(make_scene, suffix):
    peaks = []
    for height in (4_000, 16_000):
        values = patches(height, 256).astype(np.uint8)
        path = make_scene(values[None], f"{height}.tif", nodata=NODATA)
        command = [sys.executable, "-c", TALL, path, suffix]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks.append(int(done.stdout))
    assert peaks[1] < 1.2 * peaks[0]
