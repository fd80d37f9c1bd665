"""The collapse monitor tells once, with the cause that the other values point to, or stops."""

import re
import warnings
from types import SimpleNamespace

import pytest
import torch

from sscl_geo.callbacks.collapse import CollapseMonitor, suspect
from sscl_geo.errors import CollapseWarning, TrainingError


def run(
    monitor: CollapseMonitor, values: list[float], branch="dense", monitor_every=1, **others
) -> None:
    for step, value in enumerate(values):
        logged = {f"{branch}_std": value, **others}
        metrics = {f"train_{name}": torch.tensor(v) for name, v in logged.items()}
        trainer = SimpleNamespace(global_step=step, callback_metrics=metrics)
        module = SimpleNamespace(hparams={"monitor_every": monitor_every})
        monitor.on_train_batch_end(trainer, module, None, None, 0)


def test_a_spread_that_stays_low_is_reported_with_its_branch_and_a_cure() -> None:
    with pytest.warns(CollapseWarning, match=r"dense branch .* at step 2 .*momentum"):
        run(CollapseMonitor(every=1), [0.01, 0.02, 0.01])


def test_it_is_reported_once() -> None:
    monitor = CollapseMonitor(every=1)
    with pytest.warns(CollapseWarning) as caught:
        run(monitor, [0.01] * 20)
    assert len(caught) == 1


def test_a_short_dip_is_not_a_collapse() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(CollapseMonitor(every=1), [0.9, 0.01, 0.01, 0.8, 0.01, 0.01, 0.7])


def test_a_reading_that_still_stands_is_not_another() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(CollapseMonitor(every=1), [0.01] * 9 + [0.9] * 11, monitor_every=9)


def test_it_can_end_the_training() -> None:
    with pytest.raises(TrainingError, match="instance branch have collapsed at step 2"):
        run(CollapseMonitor(every=1, on_collapse="stop"), [0.0] * 9, branch="instance")


def test_features_on_a_line_have_collapsed_though_they_spread() -> None:
    with pytest.warns(CollapseWarning, match=r"effective rank 1\.1\); .* one direction only"):
        run(CollapseMonitor(every=1), [0.9] * 3, dense_rank=1.1)


def test_a_low_rank_without_spread_is_a_mean_not_a_collapse() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(CollapseMonitor(every=1), [0.35] * 5, dense_rank=1.3)


def test_a_break_does_not_reset_the_count() -> None:
    first, second = CollapseMonitor(every=1), CollapseMonitor(every=1)
    run(first, [0.01] * 2)
    second.load_state_dict(first.state_dict())
    with pytest.warns(CollapseWarning):
        run(second, [0.01])


def test_a_branch_without_counterparts_is_told_though_it_spreads() -> None:
    with pytest.warns(CollapseWarning, match=r"dense branch has next to nothing .* at step 2: .*"):
        run(CollapseMonitor(every=1), [0.9] * 9, valid=1.0, overlap=0.0)


def test_views_without_data_are_told_though_they_spread() -> None:
    with pytest.warns(CollapseWarning, match="only 2% of the pixels have data"):
        run(CollapseMonitor(every=1), [0.9] * 9, branch="instance", valid=0.02)


def weigh(monitor: CollapseMonitor, lengths: list[float], first_step: int = 0) -> None:
    for step, length in enumerate(lengths, first_step):
        metrics = {"train_weight_norm": torch.tensor(length)}
        trainer = SimpleNamespace(global_step=step, callback_metrics=metrics)
        module = SimpleNamespace(hparams={})
        monitor.on_train_batch_end(trainer, module, None, None, 0)


def test_weights_that_double_between_looks_are_told_once() -> None:
    with pytest.warns(CollapseWarning, match=r"grown 2\.5-fold in .* up to step 2") as told:
        weigh(CollapseMonitor(every=1), [10.0, 11.0, 27.5, 90.0])
    assert len(told) == 1


def test_weights_that_grow_slowly_are_not_told_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weigh(CollapseMonitor(every=1), [10.0 * 1.5**step for step in range(9)])


def test_growth_over_a_break_is_told() -> None:
    first, second = CollapseMonitor(every=1), CollapseMonitor(every=1)
    weigh(first, [10.0])
    second.load_state_dict(first.state_dict())
    with pytest.warns(CollapseWarning, match="learning rate"):
        weigh(second, [40.0], first_step=1)


def test_a_learning_rate_far_too_high_can_end_the_training() -> None:
    with pytest.raises(TrainingError, match="learning rate is far too high"):
        weigh(CollapseMonitor(every=1, on_collapse="stop"), [10.0, 50.0])


def test_a_lack_of_counterparts_does_not_end_a_training() -> None:
    with pytest.warns(CollapseWarning):
        run(CollapseMonitor(every=1, on_collapse="stop"), [0.9] * 9, valid=1.0, overlap=0.0)


@pytest.mark.parametrize(
    ("logged", "cause"),
    [
        ({"valid": 0.04}, "only 4% of the pixels have data"),
        ({"valid": 1.0, "overlap": 0.01}, r"only 1\.0% of the cells have a counterpart"),
        ({"valid": 1.0, "overlap": 0.5, "dense_std": 0.9}, "one direction only"),
        ({"valid": 1.0, "overlap": 0.5, "dense_std": 0.02}, "weights of the dense terms"),
    ],
)
def test_the_cause_is_the_likeliest(logged, cause) -> None:
    metrics = {f"train_{name}": torch.tensor(value) for name, value in logged.items()}
    assert re.search(cause, suspect(metrics, "dense"))
