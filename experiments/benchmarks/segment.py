"""Maps against the network alone, and against TorchGeo's and geoai's ways to a map.

``python -m experiments.benchmarks.segment [--quick] [--rows N] [--geoai-python PATH] [--host]``

Every side runs in a process of its own on the same scene (uint16, 4 bands, 512-pixel tiles,
DEFLATE), with tiles of 512 pixels at steps of 384, one at a time. *forward_share* compares whole
runs with the bare network (U-Net, ResNet-18) on as many tiles in memory, in turn, on a stretch of a
Sentinel-2 tile's full width. The others use a stub that returns fixed logits, on one core; *stage_*
says how many nanoseconds of a processor a pixel takes there, and for what: normalising counts as
cutting, and softmax and classes as blending, where they are compiled into these. To import
libraries, and to load what was compiled, is not counted on any side: each segments a small scene
before, ours as if it were large. The sides take turns, and a ratio is the median of those of each
round, which a machine that is faster at one time than at another changes least. ``--host`` measures
the host side alone and keeps it apart.
geoai has requirements of its own: install ``geoai-py==0.43.*`` into another environment and name
its Python.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from experiments.benchmarks.harness import Metric, run
from experiments.benchmarks.scenes import make_large_scene, repeat_scene
from experiments.benchmarks.segment_stages import STAGES
from sscl_geo.progress import track

SENTINEL: Final = 10_980
"""Height and width of a Sentinel-2 tile, in pixels."""

ROOT: Final = Path(__file__).parents[2]


def measure(quick: bool, rows: int, geoai: Path | None, host: bool) -> Iterator[Metric]:
    """Measure maps: share of the network, memory, and the host side against others."""
    cores = len(os.sched_getaffinity(0))
    rounds, side, wide, tall = (1, 3072, 3072, 8192) if quick else (3, 4096, SENTINEL, 40_000)
    rows = min(rows, 600) if quick else rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from _host(
            make_large_scene(folder / "square.tif", side, "deflate"), 1 if quick else 5, geoai
        )
        if host:
            return
        square = make_large_scene(folder / "sentinel.tif", wide, "deflate")
        yield from _memory(square, repeat_scene(folder / "tall.vrt", square, tall), cores)
        stretch = repeat_scene(folder / "stretch.vrt", square, rows)
        yield from _share(stretch, rounds, cores, f"{wide} x {rows} pixels, {cores} cores")
        # The scene's height does not matter here, only its width.
        peak = _side("ours", stretch, "--network", "resnet18", "--cores", str(cores), "--defaults")
        yield Metric("rss_gb", peak["peak"] / 1e9, "GB", "lower", 2.0, "default settings")


def _host(scene: Path, rounds: int, geoai: Path | None) -> Iterator[Metric]:
    others = {"torchgeo": (sys.executable, 5.0), "geoai": (geoai, 10.0)}
    found: dict[str, list[float]] = {}
    small = make_large_scene(scene.with_name("small.tif"), 600, "deflate")
    for _ in track(range(rounds), "host side"):
        for name, python in (("ours", sys.executable), *((k, v[0]) for k, v in others.items())):
            if python is not None:
                result = _side(name, scene, "--warm-up", str(small), python=python)
                speed = result["pixels"] / 1e6 / result["seconds"]
                found.setdefault(name, []).append(speed)
    speeds = {name: statistics.median(values) for name, values in found.items()}
    for name, speed in speeds.items():
        yield Metric(f"host_{name}", speed, "MPix/s", "higher", versus="stub network, one core")
    yield from _stages(scene, small, rounds)
    for name, (_, target) in others.items():
        pairs = zip(found["ours"], found.get(name, [float("nan")] * rounds), strict=True)
        ratio = statistics.median(ours / other for ours, other in pairs)
        versus = f"{name}, stub network, one core"
        yield Metric(f"host_over_{name}", ratio, "x", "higher", target, versus)


def _stages(scene: Path, small: Path, rounds: int) -> Iterator[Metric]:
    found: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for _ in track(range(rounds), "stages"):
        result = _side("ours", scene, "--warm-up", str(small), "--stages")
        seconds = result["stages"] | {"other": result["cpu"] - sum(result["stages"].values())}
        for stage in STAGES:
            found[stage].append(seconds[stage] / result["pixels"] * 1e9)
    for stage, values in found.items():
        name, value = f"stage_{stage}", statistics.median(values)
        yield Metric(name, value, "ns/pixel", "lower", versus="stub network, one core")


def _memory(square: Path, tall: Path, cores: int) -> Iterator[Metric]:
    low, high = (
        _side("ours", scene, "--cores", str(cores), "--defaults") for scene in (square, tall)
    )
    versus = f"{low['pixels'] / 1e6:.0f} to {high['pixels'] / 1e6:.0f} MPix, stub network"
    growth = high["peak"] / low["peak"]
    added = (high["peak"] - low["peak"]) / (high["pixels"] - low["pixels"])
    yield Metric("rss_growth", growth, "x", "lower", 1.1, versus)
    yield Metric("bytes_per_pixel", added, "B", "lower", 2.0, versus)


def _share(stretch: Path, rounds: int, cores: int, versus: str) -> Iterator[Metric]:
    words = ("--network", "resnet18", "--cores", str(cores))
    rounds_done = [
        {name: _side(name, stretch, *words) for name in ("forward", "ours")}
        for _ in track(range(rounds), "share of the network")
    ]
    forward, whole = (
        statistics.median(done[name]["seconds"] for done in rounds_done)
        for name in ("forward", "ours")
    )
    speed = rounds_done[0]["ours"]["pixels"] / 1e6 / whole
    yield Metric("end_to_end", speed, "MPix/s", "higher", versus=versus)
    yield Metric("forward_share", forward / whole, "share", "higher", 0.9, versus)


def _side(
    side: str, scene: Path, *words: str, python: str | Path = sys.executable
) -> dict[str, Any]:
    """Run one side in a process of its own and read what it measured."""
    out = scene.with_name(f"{side}.out.tif")
    command = [
        str(python),
        "-m",
        "experiments.benchmarks.segment_sides",
        side,
        str(scene),
        str(out),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GDAL_CACHEMAX": "64"}
    done = subprocess.run(  # noqa: S603 - this project's own script
        [*command, *words], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Read what the harness does not know, and run."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--rows", type=int, default=1152)
    parser.add_argument("--geoai-python", type=Path)
    parser.add_argument("--host", action="store_true")
    given, rest = parser.parse_known_args()
    measured = partial(measure, rows=given.rows, geoai=given.geoai_python, host=given.host)
    measured.__doc__ = measure.__doc__
    if given.host:
        command = "python -m experiments.benchmarks.segment --host"
        run("segment_host", measured, rest, command=command)
    else:
        run("segment", measured, rest)


if __name__ == "__main__":
    main()
