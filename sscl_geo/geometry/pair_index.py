"""The index of a pair: which views to read, as a slice that any TorchGeo dataset understands."""

from typing import Self

import numpy as np
from numpy.typing import NDArray


class PairIndex(tuple[slice, ...]):  # noqa: SLOT001 - a tuple with attributes cannot have slots
    """A TorchGeo slice over the ground that the views of a pair cover, plus the views themselves.

    As a tuple it is ``(x, y)``, the bounds in the map coordinates of the first view's scene, so
    that any :class:`~torchgeo.datasets.GeoDataset` can be indexed with it.

    Attributes:
        scenes: number in the dataset of each view's scene; all the same unless views come from
            several dates.
        windows: int64 of shape (views, 4): row, col, height, width of the whole scene pixels that
            each view covers.
        pixel_to_scene: float64 of shape (views, 2, 3): from view pixels (column, row) to pixels
            (column, row) of the view's own scene.
        visit: number of the visit to a cell; pairs of one visit lie close together and are read
            together.
    """

    scenes: tuple[int, ...]
    windows: NDArray[np.int64]
    pixel_to_scene: NDArray[np.float64]
    visit: int

    def __new__(
        cls,
        slices: tuple[slice, slice],
        scenes: tuple[int, ...],
        windows: NDArray[np.int64],
        pixel_to_scene: NDArray[np.float64],
        visit: int = 0,
    ) -> Self:
        """Make an index from map bounds and the views' scenes, windows and matrices."""
        self = super().__new__(cls, slices)
        self.scenes = scenes
        self.windows = windows
        self.pixel_to_scene = pixel_to_scene
        self.visit = visit
        return self

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the attributes, for worker processes."""
        return type(self), (
            tuple(self),
            self.scenes,
            self.windows,
            self.pixel_to_scene,
            self.visit,
        )

    def __eq__(self, other: object) -> bool:
        """Two indexes are equal if they read the same views of the same scenes."""
        return (
            isinstance(other, PairIndex)
            and self.scenes == other.scenes
            and np.array_equal(self.pixel_to_scene, other.pixel_to_scene)
        )

    def __ne__(self, other: object) -> bool:
        """Opposite of equal; a tuple has its own, which would not look at the views."""
        return not self == other

    def __hash__(self) -> int:
        """Hash of the scenes and the windows."""
        return hash((self.scenes, self.windows.tobytes()))
