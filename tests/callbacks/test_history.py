"""The table of a training: a row a step, whole after a break, and an end to wild losses."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sscl_geo.callbacks.history import History
from sscl_geo.errors import TrainingError

MODULE = SimpleNamespace(device=torch.device("cpu"))


def log(history: History, rows: dict[int, dict[str, float]]) -> None:
    for step, values in rows.items():
        metrics = {f"train_{k}": torch.tensor(v) for k, v in values.items()}
        trainer = SimpleNamespace(global_step=step, callback_metrics=metrics)
        history.on_train_batch_end(trainer, MODULE, None, None, 0)


def test_an_optimiser_step_is_a_row_however_many_batches_it_takes() -> None:
    history = History()
    history.on_train_start(SimpleNamespace(global_step=0), None)
    for step in (0, 1, 1, 2, 2, 3):
        log(history, {step: {"loss": float(step)}})
    assert history.frame()["step"].tolist() == [1, 2, 3]


def test_what_is_logged_now_and_then_stands_until_the_next_time() -> None:
    history = History()
    log(history, {1: {"loss": 1.0, "std": 0.5}, 2: {"loss": 2.0}, 3: {"loss": 3.0, "std": 0.7}})
    assert history.frame()["std"].tolist() == pytest.approx([0.5, 0.5, 0.7])


def test_a_table_goes_on_after_a_break() -> None:
    first, second = History(), History()
    log(first, {1: {"loss": 1.0, "std": 0.5}, 2: {"loss": 2.0}})
    second.load_state_dict(first.state_dict())
    log(second, {3: {"loss": 3.0}})
    assert second.frame()["step"].tolist() == [1, 2, 3]
    assert second.frame()["std"].tolist() == pytest.approx([0.5] * 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_no_number_ends_the_training_with_its_step(bad: float) -> None:
    history = History()
    with pytest.raises(TrainingError, match="not finite from step 3 on"):
        log(history, {step: {"loss": bad if step >= 3 else 1.0} for step in range(1, 60)})


def test_it_does_not_get_into_a_checkpoint() -> None:
    history = History()
    log(history, {1: {"loss": np.nan}})
    with pytest.raises(TrainingError):
        history.state_dict()
