"""Losses by name."""

import pytest
import torch

from sscl_geo.errors import ConfigError
from sscl_geo.losses.objective import build_objective


@pytest.mark.parametrize("name", ["cosine", "infonce", "vicreg"])
def test_every_objective_compares_rows_and_maps(name: str) -> None:
    loss = build_objective(name, 6, 16, 0.2)
    for shape in ((4, 6), (4, 6, 3, 3)):
        value = loss(torch.randn(shape), torch.randn(shape), torch.ones(4, *shape[2:]))
        assert torch.isfinite(value)
        assert value.shape == ()


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(ConfigError, match="no objective 'hinge'"):
        build_objective("hinge", 6, 16, 0.2)
