"""InfoNCE with a queue, against lightly's loss with a memory bank."""

import pytest
import torch
from lightly.loss import NTXentLoss as LightlyLoss

from sscl_geo.errors import ConfigError
from sscl_geo.losses.info_nce import InfoNCELoss, queue_size_for


def test_it_is_lightlys_loss_with_a_memory_bank() -> None:
    online, target = torch.randn(5, 6), torch.randn(5, 6)
    ours, theirs = InfoNCELoss(6, 12, 0.3), LightlyLoss(0.3, memory_bank_size=(12, 6))
    theirs.memory_bank.bank.copy_(ours.queue)
    expected = theirs(online, target)
    torch.testing.assert_close(ours(online, target, torch.ones(5)), expected)


def test_a_dense_map_is_one_row_a_cell() -> None:
    loss = InfoNCELoss(6, 12)
    online, target, weight = torch.randn(2, 6, 3, 4), torch.randn(2, 6, 3, 4), torch.rand(2, 3, 4)
    weight = (weight > 0.4).float()
    kept = weight.flatten() > 0
    rows = [x.movedim(1, -1).reshape(-1, 6)[kept] for x in (online, target)]
    expected = loss(*rows, torch.ones(len(rows[0])))
    torch.testing.assert_close(loss(online, target, weight), expected)


def test_nothing_that_counts_gives_zero_loss_and_zero_gradient() -> None:
    online = torch.randn(3, 6, requires_grad=True)
    loss = InfoNCELoss(6, 12)(online, torch.randn(3, 6), torch.zeros(3))
    loss.backward()
    assert loss == 0
    assert (online.grad == 0).all()


def test_the_queue_forgets_the_oldest_first() -> None:
    loss = InfoNCELoss(2, 5)
    keys = torch.nn.functional.normalize(torch.randn(7, 2), dim=1)
    loss.enqueue(keys[:3])
    loss.enqueue(keys[3:])
    # 3 and 4 fill the queue, 5 and 6 replace 0 and 1.
    torch.testing.assert_close(loss.queue, keys[[5, 6, 2, 3, 4]])
    assert int(loss.pointer) == 2


def test_more_keys_than_the_queue_holds_fill_it() -> None:
    loss = InfoNCELoss(2, 3)
    keys = torch.nn.functional.normalize(torch.randn(8, 2), dim=1)
    loss.enqueue(keys)
    torch.testing.assert_close(loss.queue, keys[:3])


def test_the_queue_and_its_place_are_in_the_state_dict() -> None:
    assert set(InfoNCELoss(2, 3).state_dict()) == {"queue", "pointer"}


def test_enqueuing_before_the_backward_pass_is_allowed() -> None:
    loss, online = InfoNCELoss(4, 8), torch.randn(3, 4, requires_grad=True)
    value = loss(online, torch.randn(3, 4), torch.ones(3))
    loss.enqueue(torch.randn(3, 4))
    value.backward()
    assert torch.isfinite(online.grad).all()


@pytest.mark.parametrize("views", [4, 5, 63, 64, 65, 1000, 4096, 30_000])
def test_a_queue_holds_a_quarter_to_a_half_of_the_views(views: int) -> None:
    assert views / 4 <= queue_size_for(views) <= views / 2


def test_a_queue_does_not_grow_without_end() -> None:
    assert queue_size_for(10**9) == 16384


@pytest.mark.parametrize(("size", "temperature"), [(0, 0.2), (8, 0.0)])
def test_impossible_queues_are_refused(size: int, temperature: float) -> None:
    with pytest.raises(ConfigError, match="impossible"):
        InfoNCELoss(4, size, temperature)
