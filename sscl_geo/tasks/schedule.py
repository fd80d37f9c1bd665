"""Optimiser groups and the learning-rate schedule that all tasks share."""

import math
from collections.abc import Iterable
from functools import partial
from typing import Any, Literal

from timm.optim import Lars
from torch import nn
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import LambdaLR

from sscl_geo.errors import ConfigError

OptimizerName = Literal["adamw", "sgd", "lars"]

_OPTIMIZERS = {
    # One pass over the parameters in place of ten, for 2 % of a step of ResNet-50 on a CPU.
    "adamw": partial(AdamW, fused=True),
    "sgd": partial(SGD, momentum=0.9),
    # lightly's LARS waits for the device twice a parameter, timm's does not.
    "lars": partial(Lars, momentum=0.9),
}


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Split parameters so that biases and normalisation layers are not decayed.

    Args:
        module: whose trainable parameters to split.
        weight_decay: decay of the others.
    """
    return split_decayed(module.parameters(), weight_decay)


def split_decayed(parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Two groups of the trainable ones of some parameters: those that are decayed, and the rest."""
    trained = [p for p in parameters if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def warmup_cosine(step: int, warmup: int, total: int) -> float:
    """Factor of the learning rate: linear rise over ``warmup`` steps, then a half cosine to 0.

    Args:
        step: steps done.
        warmup: steps of the rise.
        total: all steps.
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, total - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def optimizer_with_schedule(
    groups: list[dict[str, Any]],
    lr: float,
    warmup: int,
    total: int,
    optimizer: OptimizerName = "adamw",
) -> dict[str, Any]:
    """An optimiser with the schedule of :func:`warmup_cosine`, as Lightning wants it.

    Args:
        groups: parameter groups; a group's own ``lr`` is kept.
        lr: greatest learning rate.
        warmup: steps of the rise.
        total: all steps.
        optimizer: ``"adamw"``; ``"sgd"`` or ``"lars"`` (You et al., 2017) with momentum 0.9. LARS
            adapts the rate of decayed parameters only, as BYOL does.

    Raises:
        ConfigError: if there is no such optimiser, or the rate is negative.
    """
    if optimizer not in _OPTIMIZERS:
        raise ConfigError(f"There is no optimizer {optimizer!r}; choose {', '.join(_OPTIMIZERS)}.")
    if lr < 0:
        raise ConfigError(f"The learning rate is {lr}; give one of 0 or more.")
    built = _OPTIMIZERS[optimizer](groups, lr=lr)
    scheduler = LambdaLR(built, lambda step: warmup_cosine(step, warmup, total))
    return {"optimizer": built, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
