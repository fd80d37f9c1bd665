"""NT-Xent against lightly's loss."""

import torch
from lightly.loss import NTXentLoss as LightlyLoss

from sscl_geo.losses.nt_xent import NTXentLoss


def test_it_is_lightlys_loss() -> None:
    a, b = torch.randn(6, 5), torch.randn(6, 5)
    torch.testing.assert_close(NTXentLoss(0.3)(a, b, torch.ones(6)), LightlyLoss(0.3)(a, b))


def test_its_gradient_is_that_of_lightlys_loss() -> None:
    a, b = torch.randn(6, 5, requires_grad=True), torch.randn(6, 5)
    NTXentLoss(0.3)(a, b, torch.ones(6)).backward()
    ours, a.grad = a.grad, None
    LightlyLoss(0.3)(a, b).backward()
    torch.testing.assert_close(ours, a.grad)


def test_pairs_without_data_neither_count_nor_are_negatives() -> None:
    a, b = torch.randn(6, 5), torch.randn(6, 5)
    weight = torch.tensor([1.0, 0, 1, 1, 0, 1])
    kept = weight > 0
    torch.testing.assert_close(NTXentLoss(0.3)(a, b, weight), LightlyLoss(0.3)(a[kept], b[kept]))


def test_nothing_that_counts_gives_zero_loss_and_zero_gradient() -> None:
    a = torch.randn(3, 5, requires_grad=True)
    loss = NTXentLoss()(a, torch.randn(3, 5), torch.zeros(3))
    loss.backward()
    assert loss == 0
    assert (a.grad == 0).all()
