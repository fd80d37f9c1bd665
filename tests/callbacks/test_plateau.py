"""Early stop looks at stretches of steps, alike before and after a break."""

from types import SimpleNamespace

import pytest
import torch

from sscl_geo.callbacks.plateau import Plateau


def run(plateau: Plateau, losses: list[float], start: int = 0) -> int | None:
    """Step after which the training is stopped; None if it is not."""
    trainer = SimpleNamespace(
        global_step=start, should_stop=False, strategy=SimpleNamespace(reduce=lambda t, **_: t)
    )
    plateau.on_train_start(trainer, None)
    if trainer.should_stop:
        return start
    for loss in losses:
        trainer.global_step += 1
        trainer.callback_metrics = {"train_loss": torch.tensor(loss)}
        plateau.on_train_batch_end(trainer, None, None, None, 0)
        if trainer.should_stop:
            return trainer.global_step
    return None


def test_a_falling_loss_goes_on() -> None:
    assert run(Plateau(patience=8), [10 - 0.1 * i for i in range(60)]) is None


def test_a_flat_loss_stops_after_the_patience() -> None:
    assert run(Plateau(patience=8), [1.0] * 60) == 2 + 8  # the first stretch is the best


def test_noise_about_a_falling_mean_does_not_stop() -> None:
    losses = [5 - 0.1 * i + 2 * (i % 2) for i in range(60)]
    assert run(Plateau(patience=8), losses) is None


@pytest.mark.parametrize("at", [1, 5, 8])
def test_a_break_changes_nothing(at: int) -> None:
    whole = run(Plateau(patience=8), [1.0] * 60)
    first, second = Plateau(patience=8), Plateau(patience=8)
    run(first, [1.0] * at)
    second.load_state_dict(first.state_dict())
    assert run(second, [1.0] * 60, start=at) == whole


def test_what_had_stopped_does_not_start_again() -> None:
    first, second = Plateau(patience=8), Plateau(patience=8)
    run(first, [1.0] * 60)
    second.load_state_dict(first.state_dict())
    assert run(second, [1.0] * 60, start=10) == 10
