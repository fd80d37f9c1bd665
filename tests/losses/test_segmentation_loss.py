import pytest
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F

from sscl_geo.errors import ConfigError
from sscl_geo.losses.class_weights import class_weights
from sscl_geo.losses.focal import FocalLoss
from sscl_geo.losses.segmentation import SegmentationLoss, parse_mix


@pytest.fixture
def sample():
    torch.manual_seed(0)
    logits, mask = torch.randn(2, 3, 8, 8), torch.randint(0, 3, (2, 8, 8))
    mask[torch.rand(2, 8, 8) < 0.4] = 255
    return logits.requires_grad_(), mask


def test_cross_entropy_is_over_labelled_pixels_with_class_weights(sample):
    logits, mask = sample
    weights = [1.0, 2.0, 0.5]
    found = SegmentationLoss("ce", class_weights=weights)(logits, mask)
    terms, total = [], 0.0
    log_p = F.log_softmax(logits, dim=1)
    for i, row, col in torch.nonzero(mask != 255).tolist():
        k = int(mask[i, row, col])
        terms.append(-weights[k] * log_p[i, k, row, col])
        total += weights[k]
    torch.testing.assert_close(found, torch.stack(terms).sum() / total)


def test_dice_is_that_of_the_library(sample):
    logits, mask = sample
    dice = smp.losses.DiceLoss("multiclass", ignore_index=255)(logits, mask)
    torch.testing.assert_close(SegmentationLoss("dice")(logits, mask), dice)


def test_a_mix_weighs_classes_in_each_part_that_can(sample):
    logits, mask = sample
    weights = [1.0, 2.0, 0.5]
    mixed = SegmentationLoss("ce+2*focal+dice", class_weights=weights)(logits, mask)
    parts = F.cross_entropy(logits, mask, torch.tensor(weights), ignore_index=255)
    parts = parts + 2 * FocalLoss(weight=torch.tensor(weights))(logits, mask)
    parts = parts + smp.losses.DiceLoss("multiclass", ignore_index=255)(logits, mask)
    torch.testing.assert_close(mixed, parts)


@pytest.mark.parametrize("mix", ["ce", "focal", "ce+dice"])
def test_a_batch_of_classes_that_weigh_nothing_leaves_no_nan(sample, mix):
    logits, mask = sample
    loss = SegmentationLoss(mix, class_weights=[0.0, 1.0, 1.0])(logits, mask.clamp_max(0))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    assert (loss == 0) == ("dice" not in mix)


@pytest.mark.parametrize("part", ["dice", "focal", "ce"])
def test_unlabelled_pixels_do_not_count(sample, part):
    logits, mask = sample
    loss = SegmentationLoss(part)
    changed = torch.where((mask == 255)[:, None], logits + torch.randn_like(logits) * 9, logits)
    torch.testing.assert_close(loss(changed, mask), loss(logits, mask))


def test_a_mix_is_the_sum_of_its_parts(sample):
    mixed = SegmentationLoss("ce+0.5*dice+.25*focal")(*sample)
    parts = {name: SegmentationLoss(name)(*sample) for name in ("ce", "dice", "focal")}
    torch.testing.assert_close(mixed, parts["ce"] + parts["dice"] / 2 + parts["focal"] / 4)


def test_a_batch_without_labels_gives_zero_and_a_gradient_of_zero(sample):
    logits, mask = sample
    loss = SegmentationLoss("ce+dice+focal")(logits, torch.full_like(mask, 255))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


@pytest.mark.parametrize("mix", ["", "l1", "ce+ce", "ce-dice", "2ce", "ce+", "-1*ce", "0*ce"])
def test_mixes_that_cannot_be_read_are_refused(mix):
    with pytest.raises(ConfigError, match="cannot be read"):
        parse_mix(mix)


def test_class_weights_with_dice_alone_are_refused():
    with pytest.raises(ConfigError, match="lacks"):
        SegmentationLoss("dice", class_weights=[1.0, 2.0])


@pytest.mark.parametrize(("kind", "power"), [("inverse", 1), ("sqrt", 0.5)])
def test_class_weights_follow_the_counts_and_keep_the_size_of_the_loss(kind, power):
    counts = torch.tensor([90.0, 9.0, 0.0, 1.0])
    found = torch.tensor(class_weights(counts.numpy(), kind))
    assert found[2] == 0
    torch.testing.assert_close((found * counts).sum() / counts.sum(), torch.tensor(1.0))
    torch.testing.assert_close(found[1] / found[0], torch.tensor(10.0**power))


def test_equal_weights_are_none_at_all():
    assert class_weights([1, 2], "none") is None
