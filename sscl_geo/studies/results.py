"""What a study found: a file a run, and tables made of them."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sscl_geo.errors import ConfigError
from sscl_geo.evaluation.figures import Evaluation
from sscl_geo.io.atomic import atomic_path
from sscl_geo.studies.records import read_record

FIGURES = {"oa": "OA", "kappa": "kappa", "miou": "mIoU", "mf1": "mF1"}
"""Figures of the table, and their headings; in percent but for kappa."""


def write_run(path: Path, told: dict[str, Any], evaluation: Evaluation) -> None:
    """Write what one run found.

    Args:
        path: JSON file.
        told: what the run was.
        evaluation: its figures on the test part.
    """
    figures = evaluation.overall()
    per_class = evaluation.per_class()[["name", "iou", "f1", "precision", "recall"]]
    document = {
        **told,
        "oa": figures["overall_accuracy"],
        **{name: figures[name] for name in ("kappa", "miou", "mf1", "boundary_f1")},
        "test_pixels": figures["pixels"],
        "classes": per_class.to_dict(orient="records"),
        "confusion": evaluation.confusion.tolist(),
    }
    text = json.dumps(_without_nan(document), indent=1, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _without_nan(value: Any) -> Any:
    """The same with None for NaN, which JSON has not."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def read_runs(folder: Path) -> list[dict[str, Any]]:
    """Read the runs that are done, in the order of their names.

    Raises:
        ConfigError: if a file is damaged.
    """
    advice = "remove it, and the run is done again"
    return [read_record(path, advice) for path in sorted(folder.glob("*.json"))]


def runs_table(runs: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A row a run."""
    table = pd.DataFrame([{k: v for k, v in r.items() if not isinstance(v, list)} for r in runs])
    # Whole numbers where a row has no seed of pretraining, numbers where a figure is not defined.
    undefined = dict.fromkeys([*FIGURES, "boundary_f1"], float)
    return table.astype({"pretrain_seed": "Int64", **undefined})


def classes_table(runs: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A row a run and class."""
    return pd.DataFrame(
        [
            {**{key: run[key] for key in ("row", "seed", "pretrain_seed")}, **item}
            for run in runs
            for item in run["classes"]
        ]
    ).astype({"pretrain_seed": "Int64"})


def summary(table: pd.DataFrame, rows: Sequence[str]) -> pd.DataFrame:
    """Mean and standard deviation of each row, ready to print.

    Args:
        table: what :func:`runs_table` gives.
        rows: rows in the order wished for; others follow.
    """
    order = {row: place for place, row in enumerate(rows)}
    groups = sorted(table.groupby("row"), key=lambda g: order.get(str(g[0]), len(order)))
    return pd.DataFrame(
        [
            {
                "row": row,
                "runs": len(group),
                **{
                    heading: _spread(group[figure] * (1 if figure == "kappa" else 100), figure)
                    for figure, heading in FIGURES.items()
                },
            }
            for row, group in groups
        ]
    )


def write_tables(folder: Path, rows: Sequence[str]) -> pd.DataFrame:
    """Write ``results.csv``, ``per_class.csv`` and ``results.md`` from the runs below a folder.

    Args:
        folder: folder of the study.
        rows: rows in the order of the table.

    Returns:
        the table of ``results.csv``.
    """
    runs = read_runs(folder / "runs")
    if not runs:
        raise ConfigError(
            "No row of the study could be run; give --imagenet-weights, or choose other rows."
        )
    table = runs_table(runs)
    found = summary(table, rows)
    lines = [
        "| " + " | ".join(map(str, line)) + " |" for line in [found.columns, *found.to_numpy()]
    ]
    lines.insert(1, "|---|" + "---:|" * (len(found.columns) - 1))
    with atomic_path(folder / "results.csv") as temporary:
        table.to_csv(temporary, index=False)
    with atomic_path(folder / "per_class.csv") as temporary:
        classes_table(runs).to_csv(temporary, index=False)
    with atomic_path(folder / "results.md") as temporary:
        temporary.write_text("\n".join([*_caption(runs[0]), "", *lines, ""]), encoding="utf-8")
    return table


def _caption(run: dict[str, Any]) -> list[str]:
    classes = ", ".join(item["name"] for item in run["classes"])
    return [
        f"{run['title']}: {run['labelled_patches']} labelled patches of {run['patch_size']} px,",
        f"{run['drawn']}; label files {run['labels']}, tested on {run['test_tiles']} tiles with",
        f"{run['test_labels']}. Classes: {classes}.",
        "Mean and standard deviation over runs; percent, but for kappa.",
    ]


def _spread(values: pd.Series, figure: str) -> str:
    digits = 3 if figure == "kappa" else 1
    mean, std = f"{values.mean():.{digits}f}", f"{values.std():.{digits}f}"
    return f"{mean} ± {std}" if len(values) > 1 else mean
