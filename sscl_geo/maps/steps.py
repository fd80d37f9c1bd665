"""Which steps of a map the network takes, and which are compiled into those beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from sscl_geo.maps.blending import TileBlender
from sscl_geo.maps.networks import NormalizingNetwork, ScoringNetwork, TileNetwork
from sscl_geo.maps.tiles import Columns, TilePlan

if TYPE_CHECKING:
    from sscl_geo.maps.compiled_blending import CompiledBlender

COMPILED_FROM: Final = 2**23
"""Pixels of a scene from which steps are compiled on the host. To import the compiler, and what it
made in an earlier run, takes as long as some ten million pixels gain."""

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each band, raw units."""


@dataclass(frozen=True, eq=False)
class Steps:
    """What is done with a tile.

    Attributes:
        statistics: with which tiles are normalised while they are cut; None if they are not.
        network: answers a batch of such tiles, (B, C, H, W), and their valid masks, (B, H, W).
        blender: takes the answers.
    """

    statistics: Statistics | None
    network: Callable[[Tensor, Tensor], Tensor]
    blender: "TileBlender | CompiledBlender"


def is_compiled(plan: TilePlan, device: torch.device | str) -> bool:
    """Whether a scene is blended and normalised by machine code."""
    on_host = torch.device(device).type == "cpu"
    return on_host and plan.shape[0] * plan.shape[1] >= COMPILED_FROM


def choose_steps(
    network: TileNetwork,
    plan: TilePlan,
    channels: int,
    columns: Columns,
    device: torch.device | str,
    *,
    index_only: bool,
) -> Steps:
    """Choose by where the network is, and by the size of the scene.

    Args:
        network: what is asked.
        plan: the tiles.
        channels: number of values that the network gives for each pixel.
        columns: the part of the scene that is computed, on which the choice does not depend.
        device: where the network is.
        index_only: whether the blender hands out indexes only.
    """
    on_host = torch.device(device).type == "cpu"
    scoring = network if on_host and isinstance(network, ScoringNetwork) else None
    ask = network if scoring is None else scoring.scores
    if not is_compiled(plan, device):
        activate = None if scoring is None else scoring.activate
        blender = TileBlender(plan, channels, device, columns, activate, index_only=index_only)
        return Steps(None, ask, blender)
    from sscl_geo.maps.compiled_blending import CompiledBlender

    activation = None if scoring is None else scoring.activation
    compiled = CompiledBlender(plan, channels, columns, activation, index_only=index_only)
    if isinstance(network, NormalizingNetwork):
        scores = network.scores_of_normalized
        return Steps(network.statistics, lambda image, _valid: scores(image), compiled)
    return Steps(None, ask, compiled)
