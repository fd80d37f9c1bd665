"""Scenes within an area of interest."""

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine

from sscl_geo import SceneDataset
from sscl_geo.errors import ConfigError, SceneError
from sscl_geo.io.area import Area

UTM = "EPSG:32612"


@pytest.fixture
def row_of_scenes(make_scene):
    """Three scenes of 1 km side by side."""
    return [
        make_scene(
            np.ones((1, 10, 10), np.uint8),
            f"{i}.tif",
            transform=Affine(100, 0, 300_000 + 1000 * i, 0, -100, 4_100_000),
        )
        for i in range(3)
    ]


SQUARE = shapely.box(300_500, 4_099_200, 301_500, 4_099_800)


def names(dataset: SceneDataset) -> list[str]:
    return [scene.name for scene in dataset.scenes]


def test_a_geometry_is_in_the_crs_of_the_first_scene(row_of_scenes) -> None:
    dataset = SceneDataset(row_of_scenes, aoi=SQUARE)
    assert names(dataset) == ["0", "1"]
    assert len(dataset.index) == 2
    assert dataset.aoi.equals(SQUARE)


@pytest.mark.parametrize("crs", [UTM, "EPSG:4326", "EPSG:3857"])
@pytest.mark.parametrize("suffix", ["gpkg", "geojson"])
def test_a_vector_file_may_have_any_crs(row_of_scenes, tmp_path, crs: str, suffix: str) -> None:
    path = tmp_path / f"aoi.{suffix}"
    gpd.GeoSeries([SQUARE], crs=UTM).to_crs(crs).to_file(path)
    dataset = SceneDataset(row_of_scenes, aoi=path)
    assert names(dataset) == ["0", "1"]
    assert dataset.aoi.symmetric_difference(SQUARE).area < 1e-3 * SQUARE.area


def test_several_polygons_are_one_area(row_of_scenes) -> None:
    parts = [shapely.box(300_100, 4_099_100, 300_300, 4_099_900), SQUARE]
    table = gpd.GeoDataFrame(geometry=[*parts, shapely.Point(302_500, 4_099_500)], crs=UTM)
    dataset = SceneDataset(row_of_scenes, aoi=table)
    assert dataset.aoi.area == pytest.approx(shapely.union_all(parts).area)
    assert names(dataset) == ["0", "1"]


def test_an_edge_in_common_is_no_ground_in_common(row_of_scenes) -> None:
    left = shapely.box(300_000, 4_099_000, 301_000, 4_100_000)
    assert names(SceneDataset(row_of_scenes, aoi=left)) == ["0"]


def test_the_dataset_is_in_the_crs_of_the_first_scene_that_is_kept(row_of_scenes, make_scene):
    west = shapely.box(299_990, 4_099_000, 300_100, 4_100_000)
    lonlat = make_scene(
        np.ones((1, 9, 9), np.uint8), "z.tif", crs="EPSG:4326",
        transform=Affine(1, 0, 100, 0, -1, 10),
    )  # fmt: skip
    area = gpd.GeoSeries([west], crs=UTM)
    dataset = SceneDataset([lonlat, *row_of_scenes], aoi=area)
    assert names(dataset) == ["0"]
    assert dataset.crs.to_epsg() == 32612
    assert dataset.aoi.equals(west)


def test_no_scene_within_is_one_sentence(row_of_scenes) -> None:
    with pytest.raises(SceneError, match="None of 3 scenes touches the area of interest"):
        SceneDataset(row_of_scenes, aoi=shapely.box(0, 0, 1, 1))


def test_without_an_area_everything_is_of_interest(row_of_scenes) -> None:
    assert SceneDataset(row_of_scenes).aoi is None


def test_long_edges_bend_as_they_should() -> None:
    degree = shapely.box(-112, 37, -111, 38)
    area = Area(degree, pyproj.CRS("EPSG:4326")).to_crs(pyproj.CRS(UTM), SQUARE)
    fine = gpd.GeoSeries([shapely.segmentize(degree, 1e-4)], crs="EPSG:4326").to_crs(UTM).iloc[0]
    straight = gpd.GeoSeries([degree], crs="EPSG:4326").to_crs(UTM).iloc[0]
    assert shapely.hausdorff_distance(area, fine) < 0.05
    assert shapely.hausdorff_distance(straight, fine) > 50


@pytest.mark.parametrize(
    "area", [(-180, -90, 180, 90), (-180, 0, 0, 90), (-180, -60, 180, 85)], ids=str
)
def test_an_area_may_reach_beyond_the_domain_of_the_projection(row_of_scenes, area) -> None:
    world = gpd.GeoSeries([shapely.box(*area)], crs="EPSG:4326")
    dataset = SceneDataset(row_of_scenes, aoi=world)
    assert names(dataset) == ["0", "1", "2"]
    assert dataset.aoi.covers(shapely.box(*dataset.index.total_bounds))


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_longitudes_of_scenes_may_go_on_beyond_180_degrees(make_scene, crs: str) -> None:
    scenes = [
        make_scene(
            np.ones((1, 10, 10), np.uint8),
            f"{west}.tif",
            crs="EPSG:4326",
            transform=Affine(1, 0, west, 0, -1, 50),
        )
        for west in (170, 175, 190, 230)
    ]
    fiji = shapely.union_all([shapely.box(178, 42, 180, 47), shapely.box(-180, 42, -177, 47)])
    area = gpd.GeoSeries([fiji], crs="EPSG:4326").to_crs(crs)
    dataset = SceneDataset(scenes, aoi=area)
    assert names(dataset) == ["170", "175"]
    wanted = shapely.box(178, 42, 183, 47)
    near = dataset.aoi.intersection(shapely.box(170, 40, 185, 50))
    assert near.symmetric_difference(wanted).area < 1e-9
    canada = gpd.GeoSeries([shapely.box(-128, 41, -126, 44)], crs="EPSG:4326").to_crs(crs)
    assert names(SceneDataset(scenes, aoi=canada)) == ["230"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no such file"), ("no vector file", "it is no vector file")],
)
def test_an_unreadable_file_is_one_sentence(row_of_scenes, tmp_path, content, message) -> None:
    path = tmp_path / "aoi.gpkg"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        SceneDataset(row_of_scenes, aoi=path)


def test_points_and_bare_tables_are_refused(row_of_scenes, tmp_path) -> None:
    with pytest.raises(ConfigError, match="no polygon"):
        SceneDataset(row_of_scenes, aoi=shapely.Point(0, 0))
    with pytest.raises(ConfigError, match="no coordinate reference system"):
        SceneDataset(row_of_scenes, aoi=gpd.GeoSeries([SQUARE]))
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError):
        SceneDataset(row_of_scenes, aoi=tmp_path / "table.csv")
