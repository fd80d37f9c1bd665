"""The dense loss against its formula in float64."""

import torch

from sscl_geo.losses.cosine import CosineLoss


def test_it_is_the_weighted_mean_of_negative_cosines() -> None:
    online, target = torch.randn(2, 5, 3, 4), torch.randn(2, 5, 3, 4)
    weight = (torch.rand(2, 3, 4) > 0.4).float()
    total, count = 0.0, 0.0
    for b in range(2):
        for i in range(3):
            for j in range(4):
                p, t = online[b, :, i, j].double(), target[b, :, i, j].double()
                total -= float(weight[b, i, j] * (p @ t) / (p.norm() * t.norm()))
                count += float(weight[b, i, j])
    assert torch.allclose(
        CosineLoss()(online, target, weight).double(), torch.tensor(total / count).double()
    )


def test_no_overlap_gives_zero_loss_and_zero_gradient() -> None:
    online = torch.randn(2, 5, 3, 4, requires_grad=True)
    loss = CosineLoss()(online, torch.randn(2, 5, 3, 4), torch.zeros(2, 3, 4))
    loss.backward()
    assert loss == 0
    assert (online.grad == 0).all()


def test_the_target_gets_no_gradient() -> None:
    target = torch.randn(1, 5, 2, 2, requires_grad=True)
    online = torch.randn(1, 5, 2, 2, requires_grad=True)
    CosineLoss()(online, target, torch.ones(1, 2, 2)).backward()
    assert target.grad is None


def test_cells_without_counterpart_get_no_gradient() -> None:
    online = torch.randn(1, 5, 1, 2, requires_grad=True)
    weight = torch.tensor([[[1.0, 0.0]]])
    CosineLoss()(online, torch.randn(1, 5, 1, 2), weight).backward()
    assert online.grad[..., 0].abs().sum() > 0
    assert (online.grad[..., 1] == 0).all()


def test_half_precision_features_are_compared_in_float32() -> None:
    loss = CosineLoss()(
        torch.randn(1, 5, 2, 2).bfloat16(), torch.randn(1, 5, 2, 2).bfloat16(), torch.ones(1, 2, 2)
    )
    assert loss.dtype == torch.float32
