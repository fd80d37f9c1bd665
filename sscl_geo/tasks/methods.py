"""The methods of pretraining, by name."""

import importlib
import inspect
from dataclasses import dataclass, field
from typing import Any

from sscl_geo.errors import ConfigError
from sscl_geo.tasks.pair_task import PairTask
from sscl_geo.tasks.schedule import OptimizerName


@dataclass(frozen=True)
class _Method:
    """Where a method lives: ``module.Class`` in this room, and the options that make it."""

    home: str
    summary: str
    fixed: dict[str, Any] = field(default_factory=dict)


_METHODS = {
    "sscl": _Method("sscl.SSCCL", "spatial and semantic consistency beside the instance branch"),
    "consistency": _Method(
        "sscl.SSCCL", "the consistency branch of sscl alone", {"instance_weight": 0.0}
    ),
    "byol": _Method(
        "sscl.SSCCL",
        "the instance branch of sscl alone (Grill et al., 2020)",
        {"spatial_weight": 0.0, "semantic_weight": 0.0},
    ),
    "simsiam": _Method("simsiam.SimSiam", "byol without a target (Chen and He, 2021)"),
    "moco": _Method("moco.MoCo", "contrast with a queue, v2 (Chen et al., 2020)"),
    "simclr": _Method("simclr.SimCLR", "contrast with the batch (Chen et al., 2020)"),
    "densecl": _Method("densecl.DenseCL", "moco of views and of similar cells (Wang et al., 2021)"),
    "pixpro": _Method("pixpro.PixPro", "consistency of cells near by (Xie et al., 2021)"),
    "vicreg": _Method("vicreg.VICReg", "variance and covariance guard (Bardes et al., 2022)"),
    "vicregl": _Method("vicregl.VICRegL", "vicreg of views and of cells (Bardes et al., 2022)"),
}

METHODS: dict[str, str] = {name: method.summary for name, method in _METHODS.items()}
"""What each method is, by name."""


def method_options(method: str) -> set[str]:
    """Names of the options that a method has.

    Raises:
        ConfigError: if there is no such method.
    """
    if method not in _METHODS:
        raise ConfigError(f"There is no method {method!r}; choose {', '.join(METHODS)}.")
    chosen = _METHODS[method]
    names = {
        name
        for kind in _class_of(chosen).__mro__[:-1]
        if issubclass(kind, PairTask)
        for name in inspect.signature(kind).parameters
    }
    return names - {"options", *chosen.fixed}


def build_task(
    method: str = "sscl",
    *,
    encoder: str = "resnet18",
    in_channels: int = 4,
    weights: str | None = None,
    lr: float = 1e-3,
    optimizer: OptimizerName = "adamw",
    weight_decay: float = 1e-4,
    warmup_steps: int = 20,
    **options: Any,
) -> PairTask:
    """Build a method of pretraining.

    Args:
        method: a key of :data:`METHODS`.
        encoder: name of the encoder.
        in_channels: number of bands.
        weights: weights to start from, see :func:`~sscl_geo.models.encoders.build_encoder`.
        lr: greatest learning rate.
        optimizer: ``"adamw"``, ``"sgd"`` or ``"lars"``.
        weight_decay: weight decay; none on biases and normalisation.
        warmup_steps: steps over which the learning rate rises.
        options: further options of the method's class or of
            :class:`~sscl_geo.tasks.pair_task.PairTask`.

    Raises:
        ConfigError: if there is no such method, or it has no such option, or a value is impossible.
    """
    known = method_options(method)
    if unknown := sorted(set(options) - known):
        raise ConfigError(
            f"The method {method} has no option {unknown[0]}; it has {', '.join(sorted(known))}."
        )
    chosen = _METHODS[method]
    return _class_of(chosen)(
        encoder,
        in_channels,
        weights,
        lr=lr,
        optimizer=optimizer,
        weight_decay=weight_decay,
        warmup_steps=warmup_steps,
        **chosen.fixed,
        **options,
    )


def _class_of(method: _Method) -> type[PairTask]:
    module, name = method.home.split(".")
    return getattr(importlib.import_module(f"sscl_geo.tasks.{module}"), name)
