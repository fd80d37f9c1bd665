import json
import subprocess
import sys

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from sscl_geo.io.scene import open_scene
from sscl_geo.maps.layers import class_layer
from sscl_geo.maps.memory import plan_memory, warm_up
from sscl_geo.maps.segment import segment
from sscl_geo.maps.tiles import TilePlan


@pytest.mark.parametrize("memory", [1e-3, 1e3])
def test_column_strips_do_not_change_the_map(
    make_scene, make_pixels, convolution, agrees, read, tmp_path, memory
):
    pixels = make_pixels(170, 500, nodata_corner=True)
    scene, told = open_scene(make_scene(pixels, nodata=0)), []
    made = segment(
        scene, convolution, tmp_path / "m.tif", tile=64, margin=4, memory=memory, tell=told.append
    )
    assert ("column strips" in told[0]) == (memory < 1)
    values, valid = read(made.class_map), (pixels != 0).all(axis=0)
    np.testing.assert_array_equal(values == 255, ~valid)
    whole = convolution.whole(np.where(valid, pixels, 0).astype(np.float32))
    agrees(values[valid][None], whole[:, valid][:, None], convolution.classes)


def test_prediction_does_not_depend_on_the_height(make_scene, make_pixels, convolution):
    needs = []
    for height in (100, 2000):
        scene = open_scene(make_scene(make_pixels(height, 300)))
        plan = TilePlan((height * 100, 300), tile=64, margin=4)
        layers = [class_layer(convolution.classes)]
        needs.append(
            plan_memory(
                scene,
                plan,
                layers,
                3,
                process=10**9,
                bands=2,
                batch_size=1,
                limit=1e12,
                on_host=True,
            ).buffers
        )
    assert needs[0] == needs[1]


SEGMENT = """
import json, sys
import torch
from pathlib import Path
from sscl_geo.classes import ClassTable
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.segment import segment
from sscl_geo.models.predictor import Predictor

torch.set_num_threads(1)
network = torch.nn.Conv2d(4, 9, 3, padding=1)
scene, out, memory = open_scene(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
classes = ClassTable.from_values(range(9))
predictor = Predictor(network, (0.0,) * 4, (9.0,) * 4, scene.bands, classes, 32)
told = []
segment(scene, predictor.eval(), out, memory=memory, tell=told.append)
# Not getrusage: that counts what the test process held when it forked this one.
peak = 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
print(json.dumps({"told": told[0], "peak": peak}))
"""


@pytest.fixture
def wide_scene(tmp_path):
    path = tmp_path / "wide.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=12_000,
        height=900,
        count=4,
        dtype="uint16",
        crs="EPSG:32612",
        transform=Affine(10, 0, 3e5, 0, -10, 4e6),
        tiled=True,
        blockxsize=512,
        blockysize=512,
    ) as target:
        target.write(np.random.default_rng(0).integers(0, 99, (4, 900, 12_000)).astype(np.uint16))
    return path


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the peak")
def test_the_predicted_peak_is_not_exceeded_and_not_far_away(wide_scene, tmp_path):
    peaks = {}
    for memory in (0.9, 4.0):
        command = [sys.executable, "-c", SEGMENT, wide_scene, tmp_path / "map.tif", str(memory)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        predicted = float(found["told"].split("at most ")[1].split(" GB")[0]) * 1e9
        assert 0.6 * predicted < found["peak"] <= predicted
        assert ("column strips" in found["told"]) == (memory < 1)
        peaks[memory] = found["peak"]
        (tmp_path / "map.tif").unlink()
    assert peaks[0.9] < peaks[4.0]


def test_a_network_is_shown_one_batch_to_know_its_memory(make_scene, make_pixels, tmp_path):
    seen = []

    class Network(torch.nn.Module):
        def forward(self, image, valid):
            seen.append((image.shape, valid.shape))
            return image

    warm_up(Network(), (3, 2, 64, 64), "cpu")
    assert seen == [((3, 2, 64, 64), (3, 64, 64))]


WARM_UP = """
import time
from mmap import mmap
import torch
from sscl_geo.maps.memory import warm_up
from sscl_geo.process_memory import peak_rss

def hold(size):
    # Not through malloc, which may serve it from what it kept of what was freed before.
    with mmap(-1, size) as held:
        for page in range(0, size, 4096):
            held[page] = 1
        time.sleep(0.05)

class Network(torch.nn.Module):
    def forward(self, *_):
        hold(60_000_000)

hold(400_000_000)
before = peak_rss()
print(warm_up(lambda *_: None, (1, 1, 8, 8), "cpu"))
print(warm_up(Network(), (1, 1, 8, 8), "cpu"))
print(before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others do not tell")
def test_what_a_process_held_before_does_not_count():
    done = subprocess.run([sys.executable, "-c", WARM_UP], check=True, capture_output=True)
    base, taken, before = map(int, done.stdout.split())
    assert base + 50_000_000 < taken < before - 200_000_000
