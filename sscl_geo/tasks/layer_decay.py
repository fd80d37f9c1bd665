"""Learning rates that fall from an encoder's last stage to its first."""

import re

from torch import nn


def encoder_stages(encoder: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of an encoder, stage by stage from the image on.

    A stage is what modules call it: names are cut after their first part with a digit
    (``layer1``, ``blocks.0``, ``stages_2``), and what stands before belongs to the stem. Encoders
    define their modules in the order in which they run (MiT defines its patch embeddings first, so
    that they count as early stages). A stage without a matrix, such as a normalisation, joins the
    one before it.

    Args:
        encoder: any encoder of segmentation-models-pytorch.

    Returns:
        its parameters, each in one stage.
    """
    stages: dict[str, list[nn.Parameter]] = {}
    for name, parameter in encoder.named_parameters():
        stages.setdefault(_stage(name), []).append(parameter)
    found: list[list[nn.Parameter]] = []
    for parameters in stages.values():
        if found and all(p.ndim <= 1 for p in parameters):
            found[-1].extend(parameters)
        else:
            found.append(parameters)
    return found


def stage_factors(stages: int, decay: float) -> list[float]:
    """Factor of the learning rate of each stage: 1 for the last, ``decay`` times less each before.

    Example:
        >>> from sscl_geo.tasks.layer_decay import stage_factors
        >>> stage_factors(3, 0.5)
        [0.25, 0.5, 1.0]
    """
    return [decay ** (stages - 1 - i) for i in range(stages)]


def _stage(name: str) -> str:
    parts = name.split(".")
    for i, part in enumerate(parts[:-1]):
        if re.search(r"\d", part):
            return ".".join(parts[: i + 1])
    return ".".join(parts[:-1])
