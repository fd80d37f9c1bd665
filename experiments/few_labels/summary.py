"""Tables and intervals of the study's figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

ROW = ["init", "method"]
CASE = ["scene", "mode", "drawn", "label_share"]


@dataclass(frozen=True)
class Difference:
    """A paired difference of two rows.

    Attributes:
        mean: mean over label seeds and pretraining seeds.
        low: lower end of its 95 % interval.
        high: upper end.
    """

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


def paired_difference(a: pd.DataFrame, b: pd.DataFrame, figure: str = "miou") -> Difference:
    """Mean of ``a - b`` in percent points and its 95 % interval.

    Both rows saw the same draws of labels. Differences lie in a grid of label seeds and pretraining
    seeds, which are both a matter of chance, so the variance of the mean is the sum of what the
    means over each vary by, and the degrees of freedom are Satterthwaite's (1946). A row without
    seeds of its own is the same for each seed of the other.

    Args:
        a: figures of one row in one case: columns ``label_seed``, ``seed`` and the figure.
        b: those of the other.
        figure: which figure.
    """
    left, right = _grid(a, figure), _grid(b, figure)
    seeds = sorted(set(left.columns) | set(right.columns))
    draws = left.index.intersection(right.index)
    # One column (no seeds) stands for all.
    left, right = (_for_seeds(grid.loc[draws], seeds) for grid in (left, right))
    both = [seed for seed in seeds if seed in left.columns and seed in right.columns]
    values = 100 * (left[both] - right[both]).to_numpy()
    return interval(values)


def interval(values: NDArray[np.float64]) -> Difference:
    """Mean of a grid (label seeds, pretraining seeds) and its 95 % interval; NaN without spread.

    Example:
        >>> import numpy as np
        >>> from experiments.few_labels.summary import interval
        >>> found = interval(np.array([[1.0], [2.0], [3.0]]))
        >>> round(found.mean, 2), round(found.high - found.mean, 2)
        (2.0, 2.48)
    """
    mean = float(values.mean())
    parts = []
    for axis in (0, 1):
        means = values.mean(axis=1 - axis)
        if len(means) > 1:
            parts.append((means.var(ddof=1) / len(means), len(means) - 1))
    variance = sum(part for part, _ in parts)
    if not variance:
        return Difference(mean, float("nan"), float("nan"))
    freedom = variance**2 / sum(part**2 / free for part, free in parts)
    half = float(stats.t.ppf(0.975, freedom) * np.sqrt(variance))
    return Difference(mean, mean - half, mean + half)


def table(figures: pd.DataFrame, figure: str = "miou") -> pd.DataFrame:
    """Mean and deviations of each row in each case, in percent.

    Returns:
        a row for each case and row of the study: ``mean``, ``label_std`` (between label draws, of
        means over pretraining seeds), ``seed_std`` (the other way round; NaN for one seed),
        ``seeds``, the number of pretraining seeds, and ``maps``, that of figures.
    """
    found = []
    for key, rows in groups(figures, [*CASE, *ROW]):
        grid = 100 * _grid(rows, figure)
        found.append(
            named([*CASE, *ROW], key)
            | {
                "mean": grid.to_numpy().mean(),
                "label_std": grid.mean(axis=1).std(),
                "seed_std": grid.mean(axis=0).std(),
                "seeds": grid.shape[1],
                "maps": grid.size,
            }
        )
    return pd.DataFrame(found)


def differences(figures: pd.DataFrame, method: str, figure: str = "miou") -> pd.DataFrame:
    """How a method compares with every other row of the same case, from each init.

    Args:
        figures: all figures.
        method: whose rows are compared with the others.
        figure: which figure.

    Returns:
        a row for each case, init of the method, and other row: ``mean``, ``low``, ``high``.
    """
    found = []
    for key, rows in groups(figures, CASE):
        rest = dict(groups(rows, ROW))
        for (init, name), own in rest.items():
            if name != method:
                continue
            for (other_init, other), theirs in rest.items():
                # A pretrained row is compared with those that began as it did.
                if other == method or (other_init not in (init, "none")):
                    continue
                gain = paired_difference(own, theirs, figure)
                found.append(
                    named(CASE, key)
                    | {"init": init, "method": method, "over": other, "over_init": other_init}
                    | {"mean": gain.mean, "low": gain.low, "high": gain.high}
                )
    columns = [*CASE, "init", "method", "over", "over_init", "mean", "low", "high"]
    return pd.DataFrame(found, columns=columns)


def _grid(rows: pd.DataFrame, figure: str) -> pd.DataFrame:
    """Figures by label seed and pretraining seed."""
    return rows.pivot_table(index="label_seed", columns="seed", values=figure)


def named(names: list[str], key: tuple[str, ...]) -> dict[str, Any]:
    """Columns and what a group agrees on in them."""
    return dict(zip(names, key, strict=True))


def groups(frame: pd.DataFrame, by: list[str]) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Rows that agree in some columns, with what they agree on, in order of appearance."""
    for key, rows in frame.groupby(by, sort=False):
        yield cast("tuple[str, ...]", key), rows


def _for_seeds(grid: pd.DataFrame, seeds: list[int]) -> pd.DataFrame:
    if grid.shape[1] > 1:
        return grid
    return pd.DataFrame(dict.fromkeys(seeds, grid.iloc[:, 0]), index=grid.index)
