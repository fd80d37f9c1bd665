"""VICReg against lightly's loss."""

import torch
from lightly.loss import VICRegLoss as LightlyLoss

from sscl_geo.losses.vicreg import VICRegLoss


def test_it_is_lightlys_loss() -> None:
    a, b = 0.5 * torch.randn(9, 5), torch.randn(9, 5)
    torch.testing.assert_close(VICRegLoss()(a, b, torch.ones(9)), LightlyLoss()(a, b))


def test_its_gradient_is_that_of_lightlys_loss() -> None:
    a, b = (0.5 * torch.randn(9, 5)).requires_grad_(), torch.randn(9, 5)
    VICRegLoss()(a, b, torch.ones(9)).backward()
    ours, a.grad = a.grad, None
    LightlyLoss()(a, b).backward()
    torch.testing.assert_close(ours, a.grad)


def test_cells_that_do_not_count_are_left_out() -> None:
    a, b = 0.5 * torch.randn(2, 5, 3, 4), torch.randn(2, 5, 3, 4)
    weight = (torch.rand(2, 3, 4) > 0.4).float()
    kept = weight.flatten() > 0
    rows = [x.movedim(1, -1).reshape(-1, 5)[kept] for x in (a, b)]
    torch.testing.assert_close(VICRegLoss()(a, b, weight), LightlyLoss()(*rows))


def test_less_than_two_rows_give_finite_loss_and_no_spread() -> None:
    a = torch.randn(3, 5, requires_grad=True)
    for weight in (torch.zeros(3), torch.tensor([1.0, 0, 0])):
        loss = VICRegLoss(invariance=0.0)(a, torch.randn(3, 5), weight)
        loss.backward()
        assert loss == 0
        assert (a.grad == 0).all()
