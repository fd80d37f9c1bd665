"""Principal components against scikit-learn's, with a sign that does not change."""

import numpy as np
import torch
from sklearn.decomposition import PCA

from sscl_geo.embedding.components import principal_components


def rows(seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(400, 6)) @ rng.normal(size=(6, 6)) + rng.normal(size=6)
    return torch.from_numpy(mixed).float()


def test_they_are_those_of_scikit_learn_up_to_the_sign() -> None:
    found, oracle = principal_components(rows(), 4), PCA(4).fit(rows().numpy())
    cosine = (found.vectors.numpy() * oracle.components_).sum(axis=1)
    assert np.allclose(np.abs(cosine), 1, atol=1e-4)
    assert np.allclose(found.share, oracle.explained_variance_ratio_, atol=1e-4)


def test_the_largest_loading_is_positive() -> None:
    vectors = principal_components(rows(), 6).vectors
    at = vectors.abs().argmax(dim=1, keepdim=True)
    assert (vectors.gather(1, at) > 0).all()


def test_turning_all_features_round_turns_the_components_round() -> None:
    one, other = (principal_components(sign * rows(), 3) for sign in (1, -1))
    assert torch.allclose(one.vectors, other.vectors, atol=1e-4)
    assert torch.allclose(one.mean, -other.mean, atol=1e-5)


def test_all_features_are_kept_as_they_are() -> None:
    found = principal_components(rows(), None)
    assert torch.equal(found.vectors, torch.eye(6))
    assert not found.mean.any()
