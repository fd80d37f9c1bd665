"""What stands behind the progress bar."""

import torch

from sscl_geo.callbacks.progress import _note


def test_loss_speed_and_waiting_are_told() -> None:
    logged = {
        "train_loss": torch.tensor(-1.23456),
        "train_valid": torch.tensor(0.9),
        "train_data_wait": torch.tensor(0.254),
        "train_pairs_per_s": torch.tensor(123.4),
    }
    assert _note(logged) == "loss -1.235, 123 pairs/s, 25% waiting for data"


def test_slow_trainings_show_a_digit_more() -> None:
    assert _note({"train_patches_per_s": torch.tensor(0.25)}) == "0.2 patches/s"


def test_nothing_logged_is_nothing_told() -> None:
    assert not _note({})
