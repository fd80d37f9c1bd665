"""What maps ask of a network."""

from typing import Literal, Protocol, runtime_checkable

from torch import Tensor

from sscl_geo.classes import ClassTable
from sscl_geo.io.units import BandUnits


class TileNetwork(Protocol):
    """Whatever answers a batch of tiles with some values for each pixel."""

    def __call__(self, image: Tensor, valid: Tensor, /) -> Tensor:
        """Values of a batch.

        Args:
            image: float32 of shape (B, C, H, W), raw units, 0 where not valid.
            valid: bool of shape (B, H, W).

        Returns:
            float32 of shape (B, K, H, W).
        """
        ...


@runtime_checkable
class ScoringNetwork(TileNetwork, Protocol):
    """A network whose last step works on each pixel by itself.

    On the host that step is taken in the blend, on pixels that are in the cache, and not on those
    that serve as context only. Calling the network does both.
    """

    @property
    def activation(self) -> Literal["softmax", "sigmoid"]:
        """Name of the last step."""
        ...

    def scores(self, image: Tensor, valid: Tensor, /) -> Tensor:
        """All but the last step; arguments and shape as those of a call."""
        ...

    def activate(self, scores: Tensor, /) -> Tensor:
        """The last step, on scores of any shape (..., K, H, W)."""
        ...


@runtime_checkable
class NormalizingNetwork(ScoringNetwork, Protocol):
    """A network whose first step is to normalise.

    On the host that step is taken while tiles are cut.
    """

    @property
    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each band, raw units."""
        ...

    def scores_of_normalized(self, image: Tensor, /) -> Tensor:
        """What ``scores`` gives of an image that is normalised.

        Args:
            image: float32 of shape (B, C, H, W), of mean 0 and standard deviation 1; 0 where not
                valid.
        """
        ...


class ClassNetwork(TileNetwork, Protocol):
    """A network that gives class probabilities, with all that a map needs to know of it.

    Attributes:
        bands: names of the bands it takes, in order.
        classes: what its values mean.
        stride: its largest downsampling.
    """

    bands: tuple[str, ...]
    classes: ClassTable
    stride: int


@runtime_checkable
class HasUnits(Protocol):
    """A network that knows in which units it takes its bands."""

    def in_units(self, units: BandUnits, path: str, /) -> ClassNetwork:
        """The network for a scene in other units; see :class:`~sscl_geo.io.units.BandUnits`.

        Raises:
            UnitsError: if it is not told how the units compare.
        """
        ...
