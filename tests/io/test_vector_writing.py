import json

import geopandas as gpd
import pytest
import shapely
from pyarrow import parquet

from sscl_geo.io.vector_writing import FORMATS, write_frames


def frames(count=3, crs="EPSG:32612"):
    for number in range(count):
        box = shapely.box(10 * number, 0, 10 * number + 5, 5)
        yield gpd.GeoDataFrame({"number": [number]}, geometry=[box], crs=crs)


def read(path):
    return (gpd.read_parquet if path.suffix == ".parquet" else gpd.read_file)(path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_frames_follow_one_another_in_one_layer(tmp_path, suffix):
    path = tmp_path / f"boxes{suffix}"
    write_frames(frames(), path, "boxes", "Polygon")
    found = read(path)
    assert sorted(found["number"]) == [0, 1, 2]
    assert found.crs.to_epsg() == 32612
    assert found.total_bounds.tolist() == [0, 0, 25, 5]


def test_geoparquet_says_where_all_frames_lie(tmp_path):
    path = tmp_path / "boxes.parquet"
    write_frames(frames(), path, "boxes", "Polygon")
    column = json.loads(parquet.read_metadata(path).metadata[b"geo"])["columns"]["geometry"]
    assert column["bbox"] == [0, 0, 25, 5]
    assert column["geometry_types"] == ["Polygon"]
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_error_on_the_way_is_passed_on_as_it_is(tmp_path, suffix):
    class OwnError(Exception):
        pass

    def broken():
        yield from frames(2)
        raise OwnError("no more")

    with pytest.raises(OwnError, match="no more"):
        write_frames(broken(), tmp_path / f"boxes{suffix}", "boxes", "Polygon")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_folder_that_is_not_there_is_an_error(tmp_path, suffix):
    with pytest.raises(OSError, match="none"):
        write_frames(frames(), tmp_path / "none" / f"boxes{suffix}", "boxes", "Polygon")
