"""Shared memory comes back when the other process lets go, and not before."""

import pickle

import numpy as np
import pytest
import torch

from sscl_geo.datasets.shared_batches import SharedBatches

LAYOUT = {"image": ((3, 5), np.dtype(np.float32)), "valid": ((3,), np.dtype(bool))}


class Crossing:
    """What a batch goes through on its way to another process, in this one."""

    def __init__(self, batch) -> None:
        receive, (block, layout, others) = batch.__reduce__()
        # The block goes by reference, as PyTorch passes shared memory.
        self.batch = receive(block, *pickle.loads(pickle.dumps((layout, others))))  # noqa: S301


def address(batch) -> int:
    return batch.block.data_ptr()


def test_tensors_have_the_shapes_and_types_asked_for() -> None:
    batch = SharedBatches().empty(LAYOUT)
    assert batch.block.is_shared()
    assert (batch["image"].shape, batch["image"].dtype) == ((3, 5), torch.float32)
    assert (batch["valid"].shape, batch["valid"].dtype) == ((3,), torch.bool)


def test_the_receiver_sees_what_was_written() -> None:
    batch = SharedBatches().empty(LAYOUT)
    batch["image"][:] = 7
    batch["valid"][:] = True
    batch["scene"] = torch.arange(3)
    got = Crossing(batch).batch
    assert type(got) is dict
    assert all(torch.equal(got[name], batch[name]) for name in ("image", "valid", "scene"))


@pytest.mark.parametrize("part", [lambda b: b, lambda b: b["valid"], lambda b: b["image"][1, 2:]])
def test_a_block_is_used_again_only_when_no_part_of_its_batch_is_left(part) -> None:
    batches = SharedBatches()
    sent = batches.empty(LAYOUT)
    first = address(sent)
    held = part(Crossing(sent).batch)
    del sent
    assert address(batches.empty(LAYOUT)) != first
    del held
    assert address(batches.empty(LAYOUT)) == first


def test_a_batch_that_was_never_sent_keeps_its_block() -> None:
    batches = SharedBatches()
    first = address(batches.empty(LAYOUT))
    assert first not in {address(batches.empty(LAYOUT)) for _ in range(10)}


def test_only_a_few_blocks_are_kept() -> None:
    batches = SharedBatches()
    received = [Crossing(batches.empty(LAYOUT)) for _ in range(10)]
    del received
    large = {"image": ((100, 100), np.dtype(np.float32))}
    for _ in range(10):
        Crossing(batches.empty(large))
    assert len(batches._blocks) <= 4


def test_small_tensors_cross_by_value() -> None:
    """Each that went by reference would be a file of its own, handed over a socket."""
    batch = SharedBatches().empty(LAYOUT)
    batch["scene"] = torch.arange(3)
    _, (_, _, others) = batch.__reduce__()
    assert {name: type(value) for name, value in others.items()} == {"scene": np.ndarray}
