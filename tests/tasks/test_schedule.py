"""The learning-rate schedule and parameter groups."""

from itertools import pairwise

import pytest
from torch import nn

from sscl_geo.tasks.schedule import parameter_groups, warmup_cosine


def test_the_rate_rises_linearly_and_falls_to_zero() -> None:
    factors = [warmup_cosine(step, 4, 20) for step in range(21)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert factors[4] == 1.0
    assert factors[12] == pytest.approx(0.5)
    assert factors[20] == pytest.approx(0)
    assert all(a >= b for a, b in pairwise(factors[4:]))


def test_biases_and_normalisation_are_not_decayed() -> None:
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    decayed, free = parameter_groups(module, 0.1)
    assert [p.ndim for p in decayed["params"]] == [4]
    assert free["weight_decay"] == 0
    assert len(free["params"]) == 3


def test_frozen_parameters_are_in_no_group() -> None:
    module = nn.Linear(2, 2).requires_grad_(requires_grad=False)
    assert not any(g["params"] for g in parameter_groups(module, 0.1))
