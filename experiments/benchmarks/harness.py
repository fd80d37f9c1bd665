"""What every benchmark shares: how it is called, how it is timed, and how its results are kept.

A benchmark is a module with a function that measures and returns metrics::

    def measure(quick: bool) -> list[Metric]: ...

    if __name__ == "__main__":
        run("NAME", measure)

``python -m experiments.benchmarks.NAME`` prints a table and writes it to
``experiments/results/NAME.csv``; with ``--quick`` it measures a small case and writes
``NAME.quick.csv``, which is not kept, so that a look never replaces a result.
"""

import argparse
import csv
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from experiments.benchmarks.machine import describe_machine, describe_versions
from sscl_geo.io.atomic import atomic_path
from sscl_geo.progress import track

RESULTS = Path(__file__).parents[1] / "results"

COLUMNS = (
    "metric",
    "value",
    "unit",
    "target",
    "better",
    "versus",
    "command",
    "versions",
    "machine",
    "date",
)


@dataclass(frozen=True)
class Metric:
    """One measured number.

    Attributes:
        name: what was measured, as reports call it.
        value: the number; NaN where it could not be measured.
        unit: its unit, for example ``"s"``, ``"MB"``, ``"x"`` for a ratio.
        better: which way is better.
        target: value to reach, or None where there is none.
        versus: what it is compared with, for example ``"TorchGeo 0.10.1"``.
    """

    name: str
    value: float
    unit: str
    better: Literal["higher", "lower"]
    target: float | None = None
    versus: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a target."""
        if self.target is None:
            return None
        return self.value >= self.target if self.better == "higher" else self.value <= self.target


@dataclass(frozen=True)
class Comparison:
    """Median seconds of two ways to do the same.

    Attributes:
        first: median seconds of the first.
        second: median seconds of the second.
    """

    first: float
    second: float

    @property
    def ratio(self) -> float:
        """How many times faster the second is: ``first / second``."""
        return self.first / self.second


def ratio_of_medians(
    first: Callable[[], object], second: Callable[[], object], rounds: int = 5, warm_ups: int = 1
) -> Comparison:
    """Time two functions in turn, A B A B …, so that a change in the machine's load meets both.

    Args:
        first: what is compared with.
        second: what is measured.
        rounds: how often each is timed.
        warm_ups: rounds before, not timed (caches, lazy imports, compilation).

    Returns:
        the median seconds of each.
    """
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in track(range(-warm_ups, rounds), "time"):
        for function, timings in zip((first, second), seconds, strict=True):
            start = time.perf_counter()
            function()
            if number >= 0:
                timings.append(time.perf_counter() - start)
    return Comparison(statistics.median(seconds[0]), statistics.median(seconds[1]))


def run(
    name: str,
    measure: Callable[[bool], Iterable[Metric]],
    argv: Sequence[str] | None = None,
    results: Path = RESULTS,
    *,
    command: str | None = None,
) -> Path:
    """Run a benchmark from the command line: measure, print the table, write the CSV.

    Args:
        name: of the benchmark, as in ``python -m experiments.benchmarks.NAME``.
        measure: takes whether a quick, small case is asked for, and returns the metrics.
        argv: words of the command line; those of the process if None.
        results: folder of the CSV files.
        command: what measures this, where it is not the benchmark's plain command.

    Returns:
        path of the CSV file.
    """
    parser = argparse.ArgumentParser(
        prog=command or f"python -m experiments.benchmarks.{name}", description=measure.__doc__
    )
    parser.add_argument(
        "--quick", action="store_true", help="measure a small case; write NAME.quick.csv"
    )
    quick = parser.parse_args(argv).quick
    metrics = list(measure(quick))
    command = parser.prog + (" --quick" if quick else "")
    Console().print(table(command, metrics))
    path = results / f"{name}{'.quick' if quick else ''}.csv"
    write(path, metrics, command)
    print(f"Written to {path}")
    return path


def table(title: str, metrics: Iterable[Metric]) -> Table:
    """Metrics as a table for the terminal."""
    shown = Table("metric", title=title)
    shown.add_column("value", justify="right")
    shown.add_column("unit")
    shown.add_column("target", justify="right")
    shown.add_column("versus")
    marks = {None: "", True: " ✓", False: " ✗"}
    for metric in metrics:
        sign = "≥" if metric.better == "higher" else "≤"
        target = "" if metric.target is None else f"{sign} {_number(metric.target)}"
        shown.add_row(
            metric.name,
            _number(metric.value),
            metric.unit,
            target + marks[metric.met],
            metric.versus,
        )
    return shown


def write(path: Path, metrics: Iterable[Metric], command: str) -> None:
    """Write metrics with the command, versions, machine and UTC date that they come from."""
    origin = (command, describe_versions(), describe_machine(), f"{datetime.now(UTC):%Y-%m-%d}")
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for m in metrics:
            target = "" if m.target is None else _number(m.target)
            row = (m.name, _number(m.value), m.unit, target, m.better, m.versus)
            writer.writerow((*row, *origin))


def _number(value: float) -> str:
    """Four significant digits, or all before the point if there are more."""
    return f"{value:.0f}" if 1000 <= abs(value) < math.inf else f"{value:.4g}"
