"""Seconds and peak memory of each stage of ``sscl-geo demo``."""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

from experiments.benchmarks.harness import Metric, run

TOTAL_SECONDS = 300.0
"""The demo is to take about five minutes on two cores."""


def measure(quick: bool) -> list[Metric]:
    """Seconds and peak memory of each stage of the demo."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sscl_geo", "demo", "--out", folder]
        if quick:
            command.append("--quick")
        subprocess.run(command, check=True)  # noqa: S603 - this project's own command line
        return read_stages(Path(folder) / "stages.csv", target=None if quick else TOTAL_SECONDS)


def read_stages(path: Path, target: float | None) -> list[Metric]:
    """Metrics of the file in which the demo logs its stages.

    Args:
        path: CSV with the columns ``stage``, ``seconds`` and ``peak_rss_mb``.
        target: seconds that all stages together should stay under, or None.
    """
    with path.open(encoding="utf-8", newline="") as file:
        stages = list(csv.DictReader(file))
    metrics = []
    for stage in stages:
        metrics += [
            Metric(f"{stage['stage']} time", float(stage["seconds"]), "s", "lower"),
            Metric(f"{stage['stage']} peak memory", float(stage["peak_rss_mb"]), "MB", "lower"),
        ]
    total = sum(float(stage["seconds"]) for stage in stages)
    peak = max(float(stage["peak_rss_mb"]) for stage in stages)
    return [
        *metrics,
        Metric("total time", total, "s", "lower", target),
        Metric("peak memory", peak, "MB", "lower"),
    ]


if __name__ == "__main__":
    run("overview", measure)
