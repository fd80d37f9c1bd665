import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.few_labels.summary import differences, interval, paired_difference, table


def figures(init, method, values, mode="probe"):
    """Figures of a row; ``values`` by label seed and pretraining seed."""
    values = np.atleast_2d(np.asarray(values, float))
    return pd.DataFrame(
        [
            {
                "scene": "made",
                "mode": mode,
                "drawn": "patch",
                "label_share": 0.01,
                "init": init,
                "method": method,
                "label_seed": i,
                "seed": j,
                "miou": value,
            }
            for (i, j), value in np.ndenumerate(values)
        ]
    )


def test_with_one_pretraining_seed_the_interval_is_that_of_a_paired_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.random((5, 1)), rng.random((5, 1))
    found = paired_difference(figures("random", "sscl", a), figures("random", "byol", b))
    oracle = stats.ttest_rel(a[:, 0], b[:, 0]).confidence_interval(0.95)
    np.testing.assert_allclose([found.low, found.high], np.multiply(oracle, 100))


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        values = 1 + rng.normal(0, 1, (5, 1)) + rng.normal(0, 0.5, (1, 3))
        found = interval(values)
        covered += found.low <= 1 <= found.high
    assert 930 <= covered <= 995


def test_a_row_without_seeds_stands_beside_each_seed():
    own = figures("imagenet", "sscl", [[0.5, 0.7], [0.6, 0.8]])
    other = figures("imagenet", "untrained", [[0.4], [0.5]])
    assert paired_difference(own, other).mean == pytest.approx(20)


def test_rows_are_compared_with_those_that_began_as_they_did_and_with_those_without_a_network():
    rows = [
        figures("imagenet", "sscl", [[0.5], [0.6]]),
        figures("random", "sscl", [[0.3], [0.4]]),
        figures("imagenet", "byol", [[0.4], [0.6]]),
        figures("random", "byol", [[0.2], [0.4]]),
        figures("none", "bands_linear", [[0.3], [0.3]]),
    ]
    found = differences(pd.concat(rows), "sscl")
    pairs = set(zip(found["init"], found["over"], found["over_init"], strict=True))
    assert pairs == {
        ("imagenet", "byol", "imagenet"),
        ("imagenet", "bands_linear", "none"),
        ("random", "byol", "random"),
        ("random", "bands_linear", "none"),
    }


def test_the_table_tells_both_deviations():
    found = table(figures("random", "sscl", [[0.5, 0.7], [0.6, 0.8], [0.7, 0.9]])).iloc[0]
    assert found["mean"] == pytest.approx(70)
    assert found["label_std"] == pytest.approx(10)
    assert found["seed_std"] == pytest.approx(np.sqrt(2) * 10)
