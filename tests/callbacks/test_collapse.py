"""The collapse monitor warns once, with a cause."""

import warnings
from types import SimpleNamespace

import pytest
import torch

from sscl_geo.callbacks.collapse import CollapseMonitor
from sscl_geo.errors import CollapseWarning


def run(monitor: CollapseMonitor, values: list[float], name: str = "train_dense_std") -> None:
    for step, value in enumerate(values):
        trainer = SimpleNamespace(global_step=step, callback_metrics={name: torch.tensor(value)})
        monitor.on_train_batch_end(trainer, None, None, None, 0)


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
