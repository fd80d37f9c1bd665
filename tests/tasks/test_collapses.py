"""Trainings that are made to collapse, and what the monitor says of them."""

from collections.abc import Callable

import lightning.pytorch as pl
import pytest
from torch import nn

from sscl_geo.callbacks.collapse import CollapseMonitor
from sscl_geo.errors import CollapseWarning, TrainingError
from sscl_geo.tasks.methods import build_task
from sscl_geo.tasks.pair_task import PairTask

SMALL = {
    "encoder": "tu-test_resnet",
    "in_channels": 2,
    "projection_dim": 16,
    "hidden_dim": 32,
    "monitor_every": 1,
    "warmup_steps": 1,
}


def build(method: str, **options: object) -> PairTask:
    pl.seed_everything(0, verbose=False)
    return build_task(method, **SMALL | options)


def without_predictors(task: PairTask) -> PairTask:
    """With nothing that keeps the views apart but the target, which momentum 0 makes a copy."""
    for name in ("predictor", "dense_predictor"):
        if hasattr(task, name):
            setattr(task, name, nn.Identity())
    return task


@pytest.fixture
def monitor() -> Callable[..., list[pl.Callback]]:
    return lambda **options: [CollapseMonitor(every=1, **options)]


def test_a_healthy_training_is_not_warned_of(make_batch, train, monitor) -> None:
    train(build("sscl"), [make_batch() for _ in range(6)], callbacks=monitor())


def test_a_target_without_momentum_and_predictor_is_named(make_batch, train, monitor) -> None:
    task = without_predictors(build("byol", momentum=0.0, lr=0.03))
    # Reaching the last tenth takes long; half of the spread is lost within some steps.
    with pytest.warns(CollapseWarning, match=r"instance branch .* too hard, so raise momentum"):
        train(task, [make_batch() for _ in range(25)], callbacks=monitor(threshold=0.5))


def test_dense_terms_without_momentum_and_predictor_are_named(make_batch, train, monitor) -> None:
    task = build("consistency", semantic_weight=0.0, momentum=0.0, lr=0.03)
    with pytest.warns(CollapseWarning, match=r"dense branch .* lower the weights of the dense"):
        train(
            without_predictors(task),
            [make_batch() for _ in range(25)],
            callbacks=monitor(threshold=0.5),
        )


def test_a_collapse_can_end_the_training(make_batch, train, monitor) -> None:
    task = without_predictors(build("byol", momentum=0.0, lr=0.03))
    with pytest.raises(TrainingError, match="instance branch have collapsed"):
        train(
            task,
            [make_batch() for _ in range(25)],
            callbacks=monitor(threshold=0.5, on_collapse="stop"),
        )


def test_views_that_differ_in_brightness_only_are_named(make_batch, train, monitor) -> None:
    batch = make_batch(2)
    batch["image"][0], batch["image"][1] = -2, 2
    with pytest.warns(CollapseWarning, match=r"effective rank 1\.\d\); .* one direction only"):
        train(build("simsiam"), [batch] * 3, callbacks=monitor())


def test_pairs_that_share_no_ground_are_named(make_batch, train, monitor) -> None:
    batches = [make_batch(shift=1000.0) for _ in range(4)]
    with pytest.warns(CollapseWarning, match=r"only 0\.0% of the cells have a counterpart"):
        train(build("consistency"), batches, callbacks=monitor())


def test_views_without_data_are_named(make_batch, train, monitor) -> None:
    batches = [make_batch() for _ in range(4)]
    for batch in batches:
        batch["valid"][..., 2:] = False
        batch["image"] *= batch["valid"][:, :, None]
    with pytest.warns(CollapseWarning, match="only 6% of the pixels have data"):
        train(build("byol"), batches, callbacks=monitor())


def test_a_learning_rate_far_too_high_is_named(make_batch, train, monitor) -> None:
    with pytest.warns(CollapseWarning, match=r"weights have grown .* learning rate is far too"):
        train(build("sscl", lr=1.0), [make_batch() for _ in range(4)], callbacks=monitor())
