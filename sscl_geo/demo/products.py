"""The tables and the report of a finished run."""

from pathlib import Path

import pandas as pd

from sscl_geo.demo.measures import compare
from sscl_geo.demo.page import write_report
from sscl_geo.demo.run import DemoRun, training_history
from sscl_geo.io.atomic import atomic_path


def write_products(run: DemoRun) -> Path:
    """Write ``metrics.csv``, ``history.csv``, ``pictures``, ``report.html`` and ``stages.csv``.

    Returns:
        path of the report.

    Raises:
        OutputError: if a file cannot be written.
    """
    _write_csv(compare(run.outcomes), run.out / "metrics.csv")
    _write_csv(training_history(run), run.out / "history.csv")
    with run.stages.stage("report"):
        report = write_report(run, run.out / "report.html")
    _write_csv(run.stages.frame(), run.out / "stages.csv")
    return report


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False)
