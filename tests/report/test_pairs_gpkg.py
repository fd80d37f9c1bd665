import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely

from sscl_geo.errors import OutputError
from sscl_geo.report.pairs_gpkg import write_pairs

UTM = "EPSG:32612"


def pair(dx_pixels: float) -> np.ndarray:
    first = np.array([[10.0, 0, 300_000], [0, -10, 4_100_000]])
    second = first.copy()
    second[0, 2] += 10 * dx_pixels
    return np.stack([first, second])


def test_footprints_and_overlaps_lie_where_the_matrices_say(tmp_path):
    path = write_pairs(tmp_path / "pairs.gpkg", pair(16)[None], (64, 32), UTM)
    assert set(pyogrio.list_layers(path)[:, 0]) == {"footprints", "overlaps"}
    views = gpd.read_file(path, layer="footprints")
    assert views.crs == UTM
    assert list(views["pair"]) == [1, 1]
    assert list(views["view"]) == ["a", "b"]
    first = shapely.box(300_000, 4_100_000 - 640, 300_320, 4_100_000)
    assert views.geometry[0].equals(first)
    overlaps = gpd.read_file(path, layer="overlaps")
    assert overlaps["overlap_share"][0] == pytest.approx(0.5)
    assert overlaps["area"][0] == pytest.approx(160 * 640)
    assert overlaps.geometry[0].equals(shapely.box(300_160, 4_100_000 - 640, 300_320, 4_100_000))


def test_a_pair_without_shared_ground_has_no_overlap(tmp_path):
    path = write_pairs(tmp_path / "p.gpkg", np.stack([pair(100), pair(8)]), (16, 16), UTM)
    assert list(gpd.read_file(path, layer="overlaps")["pair"]) == [2]
    assert len(gpd.read_file(path, layer="footprints")) == 4


def test_no_overlap_at_all_still_gives_both_layers(tmp_path):
    path = write_pairs(tmp_path / "p.gpkg", pair(100)[None], (16, 16), UTM)
    assert len(gpd.read_file(path, layer="overlaps")) == 0


def test_given_shares_are_kept(tmp_path):
    path = write_pairs(tmp_path / "p.gpkg", pair(4)[None], (16, 16), UTM, np.array([0.125]))
    assert gpd.read_file(path, layer="footprints")["overlap_share"].tolist() == [0.125, 0.125]


def test_a_run_over_old_results_replaces_them(tmp_path):
    write_pairs(tmp_path / "p.gpkg", np.stack([pair(4)] * 3), (16, 16), UTM)
    write_pairs(tmp_path / "p.gpkg", pair(4)[None], (16, 16), UTM)
    assert len(gpd.read_file(tmp_path / "p.gpkg", layer="footprints")) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["p.gpkg"]


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(OutputError, match="gpkg"):
        write_pairs(tmp_path / "pairs.shp", pair(4)[None], (16, 16), UTM)
