"""The index of a pair: which views to read, as a slice that any TorchGeo dataset understands."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from sscl_geo.geometry.resample import is_window

type Window = tuple[int, int, int, int]
"""Row, col, height, width in pixels; may reach beyond its scene."""


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
        cells: (row, col, height, width) in each view's scene that is worth decoding at once,
            since other pairs lie in it too; contains the view with what interpolation needs.
        keep: number of cells worth keeping decoded, since the pairs that follow lie in them.
        ends: True if no pair that follows lies in these cells.
        loader: (workers, batch size) of the data loader that the order of the pairs is made for;
            None if unknown.
    """

    scenes: tuple[int, ...]
    windows: NDArray[np.int64]
    pixel_to_scene: NDArray[np.float64]
    cells: tuple[Window, ...]
    keep: int
    ends: bool
    loader: tuple[int, int] | None = None

    def __new__(
        cls,
        slices: tuple[slice, slice],
        scenes: tuple[int, ...],
        windows: NDArray[np.int64],
        pixel_to_scene: NDArray[np.float64],
        cells: tuple[Window, ...] | None = None,
        keep: int = 0,
        ends: bool = False,
    ) -> Self:
        """Make an index from map bounds and the views' scenes, windows and matrices.

        Without ``cells`` each scene's is what the pair itself covers.
        """
        self = super().__new__(cls, slices)
        self.scenes = scenes
        self.windows = windows
        self.pixel_to_scene = pixel_to_scene
        self.cells = cells if cells is not None else _own_cells(scenes, windows, pixel_to_scene)
        self.keep = keep
        self.ends = ends
        return self

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the attributes, for worker processes.

        Numbers go as bytes: arrays take several times as long, and the process that deals pairs
        out to workers does little else.
        """
        x, y = self
        return _restore, (
            (x.start, x.stop, y.start, y.stop),
            self.scenes,
            self.windows.tobytes(),
            self.pixel_to_scene.tobytes(),
            self.cells,
            self.keep,
            self.ends,
            self.loader,
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


def _restore(
    bounds: tuple[float, float, float, float],
    scenes: tuple[int, ...],
    windows: bytes,
    pixel_to_scene: bytes,
    cells: tuple[Window, ...],
    keep: int,
    ends: bool,
    loader: tuple[int, int] | None,
) -> PairIndex:
    left, right, bottom, top = bounds
    views = len(scenes)
    index = PairIndex(
        (slice(left, right), slice(bottom, top)),
        scenes,
        np.frombuffer(windows, np.int64).reshape(views, 4),
        np.frombuffer(pixel_to_scene, np.float64).reshape(views, 2, 3),
        cells,
        keep,
        ends,
    )
    index.loader = loader
    return index


def cell_around(windows: NDArray[np.int64], pixel_to_scene: NDArray[np.float64]) -> Window:
    """Smallest window that holds what several views of one scene need.

    Args:
        windows: int64 of shape (N, 4): row, col, height, width.
        pixel_to_scene: float64 of shape (N, 2, 3).
    """
    low = windows[:, :2].min(axis=0)
    high = (windows[:, :2] + windows[:, 2:]).max(axis=0)
    if not is_window(pixel_to_scene).all():
        # Bilinear interpolation at a view's edge needs the next pixel beyond it.
        low, high = low - 1, high + 1
    (row, col), (height, width) = low.tolist(), (high - low).tolist()
    return row, col, height, width


def _own_cells(
    scenes: tuple[int, ...], windows: NDArray[np.int64], pixel_to_scene: NDArray[np.float64]
) -> tuple[Window, ...]:
    numbers = np.array(scenes)
    cells = {s: cell_around(windows[numbers == s], pixel_to_scene[numbers == s]) for s in scenes}
    return tuple(cells[s] for s in scenes)
