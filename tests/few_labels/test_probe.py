import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, jaccard_score
from sklearn.utils.class_weight import compute_sample_weight

from experiments.few_labels.figures import confusion
from experiments.few_labels.probe import best_probe, predict
from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.probing.classify import importance_of_rare, logistic_regression, mean_iou


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    x = rng.normal(0, 1.2, (300, 4)) + np.eye(3, 4)[y] * 2
    return torch.from_numpy(x).float(), torch.from_numpy(y)


def test_the_linear_probe_is_scikit_learns_logistic_regression(points):
    x, y = points
    alike = importance_of_rare(y, 3, power=0.0)
    weight, bias = logistic_regression(x, y, 3, 0.01, alike, iterations=40)
    oracle = LogisticRegression(C=1 / (0.01 * len(y)), tol=1e-8, max_iter=1000).fit(x, y)
    mine = torch.softmax(x @ weight + bias, dim=1).numpy()
    np.testing.assert_allclose(mine, oracle.predict_proba(x), atol=2e-3)


def test_all_classes_alike_are_scikit_learns_balanced_weights():
    y = torch.tensor([0] * 50 + [1] * 5 + [2])
    found = importance_of_rare(y, 4, power=1.0).numpy()
    np.testing.assert_allclose(found, compute_sample_weight("balanced", y.numpy()), rtol=1e-6)


def test_figures_are_scikit_learns():
    rng = np.random.default_rng(0)
    reference, predicted = rng.integers(0, 4, 500), rng.integers(0, 4, 500)
    matrix = confusion(predicted, reference, 5)
    np.testing.assert_array_equal(matrix[:4, :4], confusion_matrix(reference, predicted))
    found = mean_iou(torch.from_numpy(predicted), torch.from_numpy(reference), 5)
    assert np.isclose(found, jaccard_score(reference, predicted, average="macro"))


@pytest.mark.parametrize("kind", ["linear", "forest"])
def test_a_probe_learns_what_can_be_learned(kind):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (30, 40)).astype(np.uint8)
    features = torch.from_numpy(np.eye(3)[labels].transpose(2, 0, 1)).float()
    train, validation = labels.copy(), labels.copy()
    train[:, 8:], validation[:, :20], validation[:, 30:] = (IGNORE_INDEX,) * 3
    classify = best_probe(features, train, validation, 3, kind=kind, most=100, seed=0)
    test = np.zeros(labels.shape, bool)
    test[:, 30:] = True
    np.testing.assert_array_equal(predict(classify, features, test), labels[test])


def test_settings_are_chosen_on_the_validation_part():
    """Weighing rare classes helps where the validation part holds as many of each class."""
    rng = np.random.default_rng(0)
    train = np.where(rng.random((1, 400)) < 0.03, 1, 0).astype(np.uint8)
    validation = np.tile([0, 1], 200)[None].astype(np.uint8)
    labels = np.concatenate([train, validation])
    features = torch.from_numpy(labels + rng.normal(0, 0.6, labels.shape)).float()[None]
    known, chosen = labels.copy(), labels.copy()
    known[1], chosen[0] = IGNORE_INDEX, IGNORE_INDEX
    balanced = best_probe(features, known, chosen, 2, kind="linear", most=400, seed=0)
    chosen[1] = IGNORE_INDEX
    chosen[0] = labels[0]
    plain = best_probe(features, known, chosen, 2, kind="linear", most=400, seed=0)
    asked = features[0, 1][:, None]
    assert balanced(asked).sum() > plain(asked).sum()
