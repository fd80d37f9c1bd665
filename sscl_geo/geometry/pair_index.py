"""The index of a pair: which views to read, as a slice that any TorchGeo dataset understands."""

from typing import Self

import numpy as np
from numpy.typing import NDArray


class PairIndex(tuple[slice, ...]):  # noqa: SLOT001 - a tuple with attributes cannot have slots
    """A TorchGeo slice over the ground that the views of a pair cover, plus the views themselves.

    As a tuple it is ``(x, y)``, the bounds in map coordinates, so that any
    :class:`~torchgeo.datasets.GeoDataset` can be indexed with it.

    Attributes:
        scene: number of the scene in its dataset.
        window: (row, col, height, width) of the scene pixels that all views together need.
        pixel_to_scene: float64 of shape (views, 2, 3): from view pixels (column, row) to scene
            pixels (column, row).
    """

    scene: int
    window: tuple[int, int, int, int]
    pixel_to_scene: NDArray[np.float64]

    def __new__(
        cls,
        slices: tuple[slice, slice],
        scene: int,
        window: tuple[int, int, int, int],
        pixel_to_scene: NDArray[np.float64],
    ) -> Self:
        """Make an index from map bounds and the views' matrices."""
        self = super().__new__(cls, slices)
        self.scene = scene
        self.window = window
        self.pixel_to_scene = pixel_to_scene
        return self

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the attributes, for worker processes."""
        return type(self), (tuple(self), self.scene, self.window, self.pixel_to_scene)

    def __eq__(self, other: object) -> bool:
        """Two indexes are equal if they read the same views of the same scene."""
        return (
            isinstance(other, PairIndex)
            and self.scene == other.scene
            and np.array_equal(self.pixel_to_scene, other.pixel_to_scene)
        )

    def __ne__(self, other: object) -> bool:
        """Opposite of equal; a tuple has its own, which would not look at the views."""
        return not self == other

    def __hash__(self) -> int:
        """Hash of the scene and the window."""
        return hash((self.scene, self.window))
