import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from sscl_geo.errors import ConfigError
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.segment import segment
from sscl_geo.maps.shares import share_folder
from sscl_geo.maps.tiles import TilePlan

spec = importlib.util.spec_from_file_location("killable", Path(__file__).with_name("killable.py"))
killable = importlib.util.module_from_spec(spec)
spec.loader.exec_module(killable)
Network = killable.Slow
OPTIONS = {"tile": 64, "margin": 4, "overlap": 0.5, "layers": ("confidence", "probabilities16")}


@pytest.fixture
def scene(make_scene, make_pixels):
    pixels = make_pixels(150, 500, nodata_corner=True)
    return open_scene(make_scene(pixels, nodata=0))


def written(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("memory", [1e-3, 1e3])
@pytest.mark.parametrize("computed", [(1, 2, 3), (3, 1), ()])
def test_a_map_of_shares_has_the_bytes_of_one_process(scene, tmp_path, computed, memory):
    one, many = tmp_path / "one", tmp_path / "many"
    segment(scene, Network(), one / "map.tif", **OPTIONS)
    for strip in computed:
        segment(scene, Network(), many / "map.tif", **OPTIONS, strips=3, strip=strip)
    segment(scene, Network(), many / "map.tif", **OPTIONS, strips=3, memory=memory)
    assert written(many) == written(one)


def test_finished_shares_are_taken_over_and_not_computed_again(scene, tmp_path):
    out, network = tmp_path / "map.tif", Network()
    for strip in (1, 2):
        segment(scene, Network(), out, **OPTIONS, strips=2, strip=strip)
    assert not out.exists()
    assert (share_folder(out, 1, 2) / "classes.raw").stat().st_size < 150 * 500
    segment(scene, network, out, **OPTIONS, batch_size=1, strips=2)
    assert network.tiles == 1  # the empty one that tells how much memory is needed
    assert out.is_file()
    assert not list(tmp_path.glob("*.share-*"))


def test_a_finished_share_is_left_alone(scene, tmp_path):
    out, network = tmp_path / "map.tif", Network()
    segment(scene, Network(), out, **OPTIONS, strips=2, strip=1)
    segment(scene, network, out, **OPTIONS, batch_size=1, strips=2, strip=1)
    assert network.tiles == 1


def test_shares_of_another_run_are_computed_again(scene, read, tmp_path):
    out = tmp_path / "map.tif"
    segment(scene, Network(), out, **OPTIONS, strips=2, strip=1)
    journal = share_folder(out, 1, 2) / "journal.json"
    journal.write_text(json.dumps({**json.loads(journal.read_text()), "run": "another"}))
    raw = journal.with_name("classes.raw")
    raw.write_bytes(bytes(raw.stat().st_size))
    segment(scene, Network(), out, **OPTIONS, strips=2)
    plain = segment(scene, Network(), tmp_path / "plain.tif", **OPTIONS)
    np.testing.assert_array_equal(read(out), read(plain.class_map))


def test_a_network_that_cannot_be_told_from_others_is_refused(scene, convolution, tmp_path):
    with pytest.raises(ConfigError, match="PyTorch module"):
        segment(scene, convolution, tmp_path / "map.tif", **OPTIONS, strips=2, strip=1)


@pytest.mark.parametrize("parts", [1, 2])
def test_shares_cut_further_are_the_cuts_of_the_scene(parts):
    plan = TilePlan((100, 900), tile=64, margin=4, overlap=0.5)
    cut = [c for number in (1, 2, 3) for c in plan.share(number, 3).cut(parts)]
    assert tuple(cut) == plan.cut(3 * parts)


@pytest.mark.parametrize(("strip", "strips"), [(0, 2), (3, 2), (1, 99)])
def test_strips_that_are_not_there_are_refused(strip, strips):
    with pytest.raises(ConfigError, match="column strip"):
        TilePlan((100, 300), tile=64).share(strip, strips)
