"""Memory is handed out again when it is free, and only then."""

import numpy as np
import pytest
import torch

from sscl_geo.datasets.batch_memory import BatchMemory

FLOAT = np.dtype(np.float32)


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def test_memory_that_nobody_holds_is_used_again() -> None:
    memory = BatchMemory()
    first = address(memory.empty((4, 5), FLOAT))
    assert address(memory.empty((4, 5), FLOAT)) == first


@pytest.mark.parametrize(
    "hold",
    [
        lambda array: array,
        torch.from_numpy,
        lambda array: torch.from_numpy(array)[1],
        lambda array: torch.from_numpy(array)[1:3].flatten().numpy()[2:],
        lambda array: {"image": torch.from_numpy(array).as_strided((2,), (1,))},
    ],
    ids=["array", "tensor", "part", "array of a part", "strided"],
)
def test_memory_that_is_held_in_any_way_is_left_alone(hold) -> None:
    memory = BatchMemory()
    held = hold(memory.empty((4, 5), FLOAT))
    others = [memory.empty((4, 5), FLOAT) for _ in range(8)]
    for other in others:
        other[:] = 7
    values = held["image"] if isinstance(held, dict) else held
    part = values.numpy() if isinstance(values, torch.Tensor) else values
    assert not any(np.shares_memory(part, other) for other in others)


def test_memory_that_is_much_too_large_is_not_wasted() -> None:
    memory = BatchMemory()
    large = address(memory.empty((1000,), FLOAT))
    assert address(memory.empty((10,), FLOAT)) != large
    assert memory.empty((10,), np.dtype(bool)).dtype == bool
