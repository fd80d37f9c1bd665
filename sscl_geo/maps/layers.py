"""The rasters that a map may consist of, and how each comes from class probabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from sscl_geo.classes import NODATA, ClassTable
from sscl_geo.decision import Decision

LayerName = Literal[
    "confidence", "entropy", "margin", "disagreement", "probabilities", "probabilities16"
]
"""What can be written beside the class map."""

LAYER_NAMES: Final[tuple[LayerName, ...]] = get_args(LayerName)

PROBABILITY_STEPS: Final = 250
"""Probabilities in uint8 are counted in 250ths, so that 255 stays free for pixels without data."""


_MOST_PROBABLE: Final = Decision()


@dataclass(frozen=True, eq=False)
class Layer:
    """A raster on the grid of a scene.

    Attributes:
        name: ``"classes"`` or a :data:`LayerName`.
        bands: name of each band.
        compute: from float32 of shape (channels, rows, columns) to values of the raster of shape
            (bands, rows, columns), on the same device; pixel by pixel.
        dtype: numpy name of its pixel type.
        nodata: value of pixels without data.
        unit: unit of its values, or ``""``.
        scale: what a value of 1 stands for, where it is not 1.
        colors: red, green, blue, alpha by value, for a raster of classes.
        from_index: the same as ``compute`` from the index of the largest value, of shape (1, rows,
            columns) and as :func:`most_probable` gives it; None where that does not tell.
    """

    name: str
    bands: tuple[str, ...]
    compute: Callable[[Tensor], Tensor]
    dtype: str = "uint8"
    nodata: float = NODATA
    unit: str = ""
    scale: float = 1.0
    colors: tuple[tuple[int, tuple[int, int, int, int]], ...] = ()
    from_index: Callable[[Tensor], Tensor] | None = None


class WithPeak(torch.nn.Module):
    """A network whose answers carry one value more: the largest of each pixel's probabilities.

    Averaged over overlapping tiles it tells how sure they were one by one, and with that how far
    they disagree; see :func:`disagreement`.

    Args:
        network: gives class probabilities (B, K, H, W).
    """

    def __init__(self, network: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Probabilities and their maximum, (B, K + 1, H, W)."""
        probabilities = self.network(image, valid)
        return torch.cat([probabilities, probabilities.amax(dim=1, keepdim=True)], dim=1)


def class_layer(classes: ClassTable, decision: Decision = _MOST_PROBABLE) -> Layer:
    """The class map: the value of the class that is decided for, the first of equals.

    Where classes do not exclude each other it has a band for each, 1 where it is likely.

    Args:
        classes: the classes.
        decision: how they are decided.
    """
    if not decision.is_exclusive:
        return Layer("classes", classes.names, lambda v: _is_likely(v, classes, decision).byte())
    dtype = getattr(torch, classes.dtype)
    # Not every device looks up values in a table of uint16.
    lookup = torch.tensor(
        classes.values, dtype=torch.uint8 if dtype == torch.uint8 else torch.int32
    )

    def from_index(index: Tensor) -> Tensor:
        if classes.values == tuple(range(len(classes))):
            return index.to(dtype)
        return lookup.to(index.device)[index.int()].to(dtype)

    def compute(values: Tensor) -> Tensor:
        if decision.task == "binary":
            return from_index(_is_likely(values[1:2], classes, decision).byte())
        return from_index(most_probable(values[: len(classes)])[None])

    colors = tuple((c.value, (*c.color, 255)) for c in classes)
    return Layer(
        "classes",
        ("class",),
        compute,
        dtype=classes.dtype,
        nodata=classes.nodata,
        colors=colors,
        from_index=from_index if decision.task == "multiclass" else None,
    )


def _is_likely(values: Tensor, classes: ClassTable, decision: Decision) -> Tensor:
    """Where probabilities (outputs, rows, columns) reach the thresholds."""
    thresholds = decision.thresholds_of(len(classes))
    least = torch.tensor(thresholds, dtype=values.dtype, device=values.device)
    return values[: len(thresholds)] >= least[:, None, None]


def make_layer(name: LayerName, classes: ClassTable, decision: Decision = _MOST_PROBABLE) -> Layer:
    """One of the layers beside the class map.

    ========================  ======================================================================
    ``confidence``            probability of the most probable class, in percent
    ``entropy``               entropy of the probabilities, in percent of its largest value log K
    ``margin``                lead of the most probable class over the next, in percent
    ``disagreement``          see :func:`disagreement`, in percent
    ``probabilities``         a band for each class, uint8, in 250ths
    ``probabilities16``       a band for each class, float16
    ========================  ======================================================================

    Where classes do not exclude each other the first three have a band for each: of its presence or
    absence, whichever is shown, against the other.

    Args:
        name: which.
        classes: the classes.
        decision: how they are decided.
    """
    count = len(classes)
    if name == "probabilities":
        return Layer(
            name,
            classes.names,
            lambda values: _uint8(values[:count], PROBABILITY_STEPS),
            scale=1 / PROBABILITY_STEPS,
        )
    if name == "probabilities16":
        return Layer(
            name, classes.names, lambda v: v[:count].half(), "float16", nodata=float("nan")
        )
    if name == "disagreement":
        return Layer(name, (name,), lambda v: _uint8(disagreement(v)[None], 100), unit="percent")
    if decision.task == "multiclass":
        measures: dict[str, Callable[[Tensor], Tensor]] = {
            "confidence": lambda values: values[:count].amax(dim=0),
            "entropy": lambda values: entropy(values[:count]),
            "margin": lambda values: margin(values[:count]),
        }
        measure = measures[name]
        return Layer(name, (name,), lambda v: _uint8(measure(v)[None], 100), unit="percent")

    def compute(values: Tensor) -> Tensor:
        likely = values[1:2] if decision.task == "binary" else values[:count]
        if name == "entropy":
            return _uint8(entropy(torch.stack([likely, 1 - likely])), 100)
        shown = torch.where(_is_likely(likely, classes, decision), likely, 1 - likely)
        return _uint8(shown if name == "confidence" else 2 * shown - 1, 100)

    bands = classes.names if decision.task == "multilabel" else (name,)
    return Layer(name, bands, compute, unit="percent")


def take_index(layers: Sequence[Layer]) -> bool:
    """Whether all layers can be computed from the index of the largest value."""
    return all(layer.from_index is not None for layer in layers)


def compute_all(layers: Sequence[Layer], values: Tensor) -> list[Tensor]:
    """Compute layers from blended values, or from the index of the largest if all can do that."""
    if take_index(layers):
        return [layer.from_index(values) for layer in layers if layer.from_index is not None]
    return [layer.compute(values) for layer in layers]


def most_probable(probabilities: Tensor) -> Tensor:
    """Index of the largest value along the first dimension, the first of equals.

    As uint8, or uint16 where there are more than 256 values. On few enough pixels to stay in the
    processor's cache many times as fast as ``argmax``.
    """
    dtype = "uint8" if len(probabilities) <= 256 else "uint16"
    if probabilities.device.type != "cpu":
        return probabilities.max(dim=0).indices.to(getattr(torch, dtype))
    values = probabilities.numpy()
    best = values[0].copy()
    index = np.zeros(best.shape, dtype)
    number = index.dtype.type
    for k in range(1, len(values)):
        larger = values[k] > best
        np.maximum(best, values[k], out=best)
        np.maximum(index, larger.view(np.uint8) * number(k), out=index)
    return torch.from_numpy(index)


def entropy(probabilities: Tensor) -> Tensor:
    """Shannon entropy along the first dimension, as a share of its largest value."""
    count = len(probabilities)
    total = -torch.special.xlogy(probabilities, probabilities).sum(dim=0)
    return total / max(torch.log(torch.tensor(float(count))).item(), 1e-12)


def margin(probabilities: Tensor) -> Tensor:
    """Largest value along the first dimension less the next."""
    if len(probabilities) == 1:
        return probabilities[0]
    first, second = probabilities.topk(2, dim=0).values
    return first - second


def disagreement(values: Tensor) -> Tensor:
    """How far overlapping tiles disagree on the class.

    Mean over the tiles of the largest probability, less the largest of the mean probabilities: 0
    where all tiles that see a pixel give it the same class, up to 1/2 where two tiles are sure of
    different ones.

    Args:
        values: what was blended of a :class:`WithPeak` network, (K + 1, rows, columns).
    """
    return values[-1] - values[:-1].amax(dim=0)


def _uint8(values: Tensor, steps: int) -> Tensor:
    return (values * steps).round().clamp(0, steps).to(torch.uint8)
