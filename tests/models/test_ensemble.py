import numpy as np
import pytest
import torch

from sscl_geo.classes import ClassTable
from sscl_geo.decision import Decision
from sscl_geo.errors import BundleError
from sscl_geo.models.augmented import AugmentedPredictor
from sscl_geo.models.ensemble import EnsemblePredictor
from sscl_geo.models.predictor import Predictor

CLASSES = ClassTable.from_values([1, 2, 3])


def predictor(seed, bands=("red", "nir"), classes=CLASSES, **options):
    torch.manual_seed(seed)
    network = torch.nn.Conv2d(2, len(classes), 3, padding=1)
    return Predictor(network, (float(seed), 5.0), (2.0, 3.0), bands, classes, 4, **options).eval()


@pytest.fixture
def batch():
    valid = torch.ones((2, 16, 16), dtype=torch.bool)
    valid[1, :5] = False
    return torch.rand((2, 2, 16, 16)) * 10, valid


def test_augmented_answers_turn_with_the_image(batch):
    image, valid = batch
    augmented = AugmentedPredictor(predictor(0))
    answer = augmented(image, valid)
    for turn in (lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: torch.rot90(x, 1, (-2, -1))):
        torch.testing.assert_close(augmented(turn(image), turn(valid)), turn(answer))
    assert not torch.allclose(answer, predictor(0)(image, valid), atol=1e-3)


def test_augmentation_leaves_a_network_that_has_no_up_alone(batch):
    pointwise = predictor(0)
    pointwise.network = torch.nn.Conv2d(2, 3, 1)
    torch.testing.assert_close(AugmentedPredictor(pointwise)(*batch), pointwise(*batch))


def test_an_ensemble_is_the_mean_of_its_members_each_with_its_own_bands(batch):
    image, valid = batch
    one, other = predictor(1), predictor(2, bands=("nir", "red"))
    ensemble = EnsemblePredictor([one, other])
    expected = (one(image, valid) + other(image[:, [1, 0]], valid)) / 2
    torch.testing.assert_close(ensemble(image, valid), expected)
    assert ensemble.stride == 4


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        (predictor(2, classes=ClassTable.from_values([1, 2, 4])), "other classes"),
        (predictor(2, bands=("red", "swir")), "other bands"),
        (
            predictor(2, decision=Decision("multilabel")),
            "is multilabel but the first is multiclass",
        ),
    ],
)
def test_models_of_another_task_do_not_vote(other, complaint):
    with pytest.raises(BundleError, match=complaint):
        EnsemblePredictor([predictor(1), other])


def test_labels_that_do_not_exclude_each_other_have_probabilities_of_their_own(batch):
    image, valid = batch
    many = predictor(3, decision=Decision("multilabel"))
    logits = many.network(many.normalize(image, valid))
    np.testing.assert_allclose(many(image, valid).detach(), logits.sigmoid().detach())


def binary(seed, threshold):
    torch.manual_seed(seed)
    two, decision = ClassTable.from_values([0, 7]), Decision("binary", (threshold,))
    network = torch.nn.Conv2d(2, 1, 3, padding=1)
    return Predictor(
        network, (1.0, 5.0), (2.0, 3.0), ("red", "nir"), two, 4, decision=decision
    ).eval()


def test_the_one_output_of_a_binary_model_is_the_probability_of_its_second_class(batch):
    one = binary(0, 0.5)
    likely = one.network(one.normalize(*batch)).sigmoid()
    expected = torch.cat([1 - likely, likely], dim=1)
    torch.testing.assert_close(one(*batch), expected)
    torch.testing.assert_close(one.activate(one.scores(*batch)), expected)


def test_thresholds_are_averaged_as_probabilities_are(batch):
    members = binary(1, 0.3), binary(2, 0.6)
    ensemble = EnsemblePredictor(members)
    assert ensemble.decision.task == "binary"
    assert ensemble.decision.thresholds == pytest.approx((0.45,))
    torch.testing.assert_close(ensemble(*batch), (members[0](*batch) + members[1](*batch)) / 2)
    assert AugmentedPredictor(ensemble).decision == ensemble.decision
    alone = EnsemblePredictor([predictor(1), predictor(2)])
    assert alone.decision == Decision()
