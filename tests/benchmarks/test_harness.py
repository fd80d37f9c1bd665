"""The harness keeps every number with where it comes from, and a quick look replaces no result."""

import csv
import math
import re
import socket

import pytest

from experiments.benchmarks import harness
from experiments.benchmarks.harness import COLUMNS, Metric, ratio_of_medians, run, table
from experiments.benchmarks.machine import describe_machine, describe_versions
from experiments.benchmarks.overview import read_stages


def measure(quick):
    """Measure."""
    return [
        Metric("speed", 1.0 if quick else 12345.678, "px/s", "higher", 10.0, "TorchGeo, 0.10"),
        Metric("memory", 0.012345, "MB", "lower"),
    ]


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_results_have_the_agreed_columns(tmp_path):
    path = run("speed", measure, [], tmp_path)
    assert path == tmp_path / "speed.csv"
    first, second = rows(path)
    assert tuple(first) == COLUMNS
    assert first["value"] == "12346"
    assert (first["target"], first["better"], first["versus"]) == (
        "10",
        "higher",
        "TorchGeo, 0.10",
    )
    assert first["command"] == "python -m experiments.benchmarks.speed"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", first["date"])
    assert (second["value"], second["target"]) == ("0.01235", "")


def test_a_quick_run_leaves_the_result_alone(tmp_path):
    full = run("speed", measure, [], tmp_path).read_bytes()
    quick = run("speed", measure, ["--quick"], tmp_path)
    assert quick == tmp_path / "speed.quick.csv"
    assert rows(quick)[0]["command"].endswith("--quick")
    assert (tmp_path / "speed.csv").read_bytes() == full


def test_the_table_shows_whether_a_target_is_met():
    from rich.console import Console

    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(table("t", measure(quick=True)))
    assert "≥ 10 ✗" in console.export_text()


@pytest.mark.parametrize(
    ("better", "value", "met"),
    [("higher", 2, True), ("higher", 0.5, False), ("lower", 0.5, True), ("lower", math.nan, False)],
)
def test_a_target_is_met_on_its_better_side(better, value, met):
    assert Metric("m", value, "x", better, 1.0).met is met


def test_runs_alternate_after_a_warm_up(monkeypatch):
    calls = []
    clock = iter(range(1000))
    monkeypatch.setattr(harness.time, "perf_counter", lambda: next(clock))
    got = ratio_of_medians(lambda: calls.append("a"), lambda: calls.append("b"), rounds=3)
    assert "".join(calls) == "ab" * 4
    assert got.first > 0
    assert got.ratio == got.first / got.second


def test_the_median_ignores_one_slow_run(monkeypatch):
    now = 0.0
    durations = iter([9, 9, 2, 1, 100, 1, 2, 1])  # warm-up, then a b a b a b

    def work():
        nonlocal now
        now += next(durations)

    monkeypatch.setattr(harness.time, "perf_counter", lambda: now)
    assert ratio_of_medians(work, work, rounds=3).ratio == 2


def test_the_machine_has_no_name():
    text = describe_machine()
    assert re.search(r"\d+ cores", text)
    assert socket.gethostname() not in text


def test_versions_name_what_does_the_work():
    text = describe_versions()
    for name in ("python", "sscl-geo", "torch", "torchgeo", "rasterio", "GDAL"):
        assert re.search(rf"{name} \d", text), name


def test_stages_of_the_demo_become_metrics(tmp_path):
    log = tmp_path / "stages.csv"
    log.write_text("stage,seconds,peak_rss_mb\npretrain,60.5,900\nsegment,3.5,1200\n")
    metrics = {m.name: m for m in read_stages(log, target=60)}
    assert metrics["pretrain time"].value == 60.5
    assert metrics["segment peak memory"].value == 1200
    assert metrics["total time"].value == 64
    assert metrics["total time"].met is False
    assert metrics["peak memory"].value == 1200
