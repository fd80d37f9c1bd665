"""The losses that a branch can have, by name."""

from typing import Literal

from torch import nn

from sscl_geo.errors import ConfigError
from sscl_geo.losses.cosine import CosineLoss
from sscl_geo.losses.info_nce import InfoNCELoss
from sscl_geo.losses.vicreg import VICRegLoss

Objective = Literal["cosine", "infonce", "vicreg"]


def build_objective(name: Objective, dim: int, queue_size: int, temperature: float) -> nn.Module:
    """Build a loss that takes online features, target features and weights.

    Args:
        name: ``"cosine"``, ``"infonce"`` or ``"vicreg"``.
        dim: channels of the features.
        queue_size: features in the queue of ``"infonce"``.
        temperature: temperature of ``"infonce"``.

    Raises:
        ConfigError: if there is no such objective, or the queue or the temperature is impossible.
    """
    if name == "cosine":
        return CosineLoss()
    if name == "vicreg":
        return VICRegLoss()
    if name != "infonce":
        raise ConfigError(f"There is no objective {name!r}; choose cosine, infonce or vicreg.")
    return InfoNCELoss(dim, queue_size, temperature)
