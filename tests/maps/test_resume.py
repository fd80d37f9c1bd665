"""Runs that are killed at any moment, and what the next run makes of it."""

import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sscl_geo.errors import OutputError
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.partial import PartialMap, partial_folder
from sscl_geo.maps.segment import segment
from sscl_geo.maps.tiles import TilePlan

spec = importlib.util.spec_from_file_location("killable", Path(__file__).with_name("killable.py"))
killable = importlib.util.module_from_spec(spec)
spec.loader.exec_module(killable)
OPTIONS, Slow = killable.OPTIONS, killable.Slow


@pytest.fixture
def scene(make_scene, make_pixels):
    return open_scene(make_scene(make_pixels(1300, 150, nodata_corner=True), nodata=0))


@pytest.fixture
def uninterrupted(scene, tmp_path):
    made = segment(scene, Slow(), tmp_path / "whole" / "map.tif", **OPTIONS)
    return {path.name: path.read_bytes() for path in made.paths}


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def run_for():
    """Run in a process that is killed after some seconds; True if it was done before."""
    command = [sys.executable, killable.__file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def run(scene, out, after):
            order = {"scene": scene.path, "out": str(out), "after": after}
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline().strip()
            assert answer in {"killed", "done 0"}
            return answer != "killed"

        yield run


def kill_until_done(run_for, scene, out, longest, seed):
    """Number of kills until a run gets to its end by itself."""
    moments = np.random.default_rng(seed)
    for kills in range(100):
        # More and more patience, for machines that are slower than a row takes.
        if run_for(scene, out, moments.uniform(0.02, longest * (1 + kills / 8))):
            return kills
    raise AssertionError("a run never gets to its end")


@pytest.mark.parametrize("seed", range(2))
def test_a_run_that_is_killed_again_and_again_ends_in_the_same_bytes(
    run_for, scene, uninterrupted, tmp_path, seed
):
    out = tmp_path / "again" / "map.tif"
    assert kill_until_done(run_for, scene, out, 0.6, seed) > 0
    assert files_of(out.parent) == uninterrupted


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_many_runs_that_are_killed_at_any_moment(run_for, scene, uninterrupted, tmp_path, seed):
    out = tmp_path / "again" / "map.tif"
    kill_until_done(run_for, scene, out, 1.5, 100 + seed)
    assert files_of(out.parent) == uninterrupted


class BreakError(Exception):
    pass


class Breaking(Slow):
    """The same network for all that counts, until a tile breaks it."""

    def __init__(self, tile):
        super().__init__()
        self._break_at = tile

    def forward(self, image, valid):
        if self.tiles > self._break_at:
            raise BreakError
        return super().forward(image, valid)

    def _get_name(self):
        return "Slow"


@pytest.mark.parametrize("memory", [2.0, 1e-3])
def test_finished_rows_are_not_computed_again(scene, uninterrupted, tmp_path, memory):
    out = tmp_path / "again" / "map.tif"
    first, again = Breaking(150), Slow()
    with pytest.raises(BreakError):
        segment(scene, first, out, memory=memory, **OPTIONS)
    rows = json.loads((partial_folder(out) / "journal.json").read_text())["rows"]
    assert max(rows) >= 512
    segment(scene, again, out, memory=memory, **OPTIONS)
    whole = Slow()
    segment(scene, whole, tmp_path / "other.tif", memory=memory, **OPTIONS)
    assert again.tiles < whole.tiles * 0.75
    if memory == 2.0:
        assert files_of(out.parent) == uninterrupted


def test_a_finished_map_is_left_alone(scene, tmp_path):
    out = tmp_path / "out" / "map.tif"
    segment(scene, Slow(), out, **OPTIONS)
    before, told, network = out.stat().st_mtime_ns, [], Slow()
    segment(scene, network, out, tell=told.append, **OPTIONS)
    assert (network.tiles, out.stat().st_mtime_ns) == (0, before)
    assert told == [f"{out} is finished already"]


def changed_scene(scene, network, options):
    os.utime(scene.path, ns=(1, 1))


def changed_weight(scene, network, options):
    network.kernel[0, 0, 0, 0] += 1e-4


def changed_overlap(scene, network, options):
    options["overlap"] = 0.25


def changed_layers(scene, network, options):
    options["layers"] = ["entropy"]


def no_resume(scene, network, options):
    options["resume"] = False


@pytest.mark.parametrize(
    "change", [changed_scene, changed_weight, changed_overlap, changed_layers, no_resume]
)
def test_another_run_starts_anew(scene, tmp_path, change):
    out = tmp_path / "out" / "map.tif"
    with pytest.raises(BreakError):
        segment(scene, Breaking(150), out, **OPTIONS)
    network, options = Slow(), dict(OPTIONS)
    change(scene, network, options)
    segment(scene, network, out, **options)
    fresh, same = Slow(), dict(OPTIONS)
    change(scene, fresh, same)
    segment(scene, fresh, tmp_path / "fresh.tif", **same)
    assert network.tiles == fresh.tiles
    assert out.read_bytes() == (tmp_path / "fresh.tif").read_bytes()


def test_a_lost_raster_starts_anew(scene, uninterrupted, tmp_path):
    out = tmp_path / "out" / "map.tif"
    with pytest.raises(BreakError):
        segment(scene, Breaking(150), out, **OPTIONS)
    (partial_folder(out) / "confidence.raw").unlink()
    segment(scene, Slow(), out, **OPTIONS)
    assert files_of(out.parent) == uninterrupted


def test_two_processes_do_not_write_one_map(scene, tmp_path):
    out = tmp_path / "map.tif"
    with (
        PartialMap(partial_folder(out), "x", [], TilePlan((9, 9), 8, 0)),
        pytest.raises(OutputError, match="Another process"),
    ):
        segment(scene, Slow(), out, **OPTIONS)


def test_rows_that_the_journal_does_not_know_are_written_again(scene, uninterrupted, tmp_path):
    out = tmp_path / "out" / "map.tif"
    with pytest.raises(BreakError):
        segment(scene, Breaking(150), out, **OPTIONS)
    with (partial_folder(out) / "classes.raw").open("ab") as file:
        file.write(np.full(5000, 7, np.uint8).tobytes())
    segment(scene, Slow(), out, **OPTIONS)
    assert files_of(out.parent) == uninterrupted


def test_after_a_full_disk_the_same_command_goes_on(scene, uninterrupted, tmp_path):
    out = tmp_path / "out" / "map.tif"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # As if the disk were full: no file may grow beyond some 800 rows of classes.
    resource.setrlimit(resource.RLIMIT_FSIZE, (360_000, before[1]))
    try:
        with pytest.raises(OutputError, match="free space"):
            segment(scene, Slow(), out, **OPTIONS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not out.exists()
    network = Slow()
    segment(scene, network, out, **OPTIONS)
    assert files_of(out.parent) == uninterrupted
