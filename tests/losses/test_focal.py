import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sscl_geo.losses.focal import FocalLoss


@pytest.fixture
def sample():
    torch.manual_seed(0)
    logits, mask = 3 * torch.randn(2, 4, 8, 8), torch.randint(0, 4, (2, 8, 8))
    mask[torch.rand(2, 8, 8) < 0.4] = 255
    return logits, mask


def oracle(logits, mask, gamma, weights):
    """Pixel by pixel, in float64."""
    values, labels = logits.numpy().astype(np.float64), mask.numpy()
    total = weighed = 0.0
    for i, row, col in zip(*np.nonzero(labels != 255), strict=True):
        k, pixel = labels[i, row, col], values[i, :, row, col]
        p = np.exp(pixel[k]) / np.exp(pixel).sum()
        total -= weights[k] * (1 - p) ** gamma * np.log(p)
        weighed += weights[k]
    return total / weighed


@pytest.mark.parametrize("gamma", [0, 1, 2, 3.5])
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0, 1.0), (0.25, 2.0, 0.0, 8.0)])
def test_it_is_the_weighted_mean_of_the_paper(sample, gamma, weights):
    logits, mask = sample
    expected = oracle(logits, mask, gamma, weights)
    given = None if set(weights) == {1.0} else torch.tensor(weights)
    loss = FocalLoss(gamma, weight=given)
    assert float(loss(logits.double(), mask)) == pytest.approx(expected, rel=1e-12)
    assert float(loss(logits, mask)) == pytest.approx(expected, rel=1e-5)


def test_its_gradient_is_that_of_the_formula():
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[[0, 1, 2], [255, 2, 1]]])
    loss = FocalLoss(weight=torch.tensor([1.0, 2.0, 0.5]))
    assert torch.autograd.gradcheck(lambda x: loss(x, mask), logits)


def test_without_focus_it_is_the_cross_entropy(sample):
    logits, mask = sample
    weights = torch.tensor([0.5, 2.0, 1.0, 4.0])
    expected = F.cross_entropy(logits, mask, weights, ignore_index=255)
    torch.testing.assert_close(FocalLoss(0, weight=weights)(logits, mask), expected)


def test_its_size_does_not_depend_on_the_number_of_pixels(sample):
    logits, mask = sample
    twice = FocalLoss()(torch.cat([logits, logits]), torch.cat([mask, mask]))
    torch.testing.assert_close(twice, FocalLoss()(logits, mask))


@pytest.mark.parametrize("gamma", [0, 2])
def test_pixels_of_which_all_is_known_leave_no_nan(gamma):
    logits = torch.tensor([200.0, -200.0]).reshape(1, 2, 1, 1).requires_grad_()
    for k in (0, 1):
        loss = FocalLoss(gamma)(logits, torch.full((1, 1, 1), k))
        loss.backward()
        assert loss.item() == 400 * k
    assert torch.isfinite(logits.grad).all()
