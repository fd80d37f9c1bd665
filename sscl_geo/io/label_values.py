"""From the pixel values of a class raster to class indices."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sscl_geo.classes import HIGHEST_VALUE, ClassTable, map_dtype, nodata_of
from sscl_geo.errors import LabelError
from sscl_geo.io.class_table import Classification
from sscl_geo.io.legend import Legend, read_legend
from sscl_geo.io.reading import RawPatch, SceneReader
from sscl_geo.io.remap import Remap
from sscl_geo.io.scene import Scene
from sscl_geo.io.source_classes import UNKNOWN, SourceClass, assign_classes
from sscl_geo.progress import track

_LOWEST, _HIGHEST = -(2**15), 2**16 - 1
"""Values that may be sources: all that 16 bits can hold, with or without a sign."""

_TILE = 1024


@dataclass(frozen=True, eq=False)
class LabelValues:
    """What the values of a class raster mean.

    Attributes:
        path: the raster, for messages.
        classes: the class table.
        is_named_only: True if a class has a name but no value, so that one was made up.
        index_of: int32, class index of each value from -32768 to 65535; ``classes.ignore_index``
            for no label, UNKNOWN for values that are not expected.
    """

    path: str
    classes: ClassTable
    is_named_only: bool
    index_of: NDArray[np.int32]

    def indices(self, patch: RawPatch) -> NDArray[np.unsignedinteger]:
        """Class indices of pixels.

        Args:
            patch: pixels of the raster, of shape (1, height, width).

        Returns:
            ``classes.index_dtype`` of shape (height, width); ``classes.ignore_index`` where there
            is no label.

        Raises:
            LabelError: if a value is no class value, or not among the classes.
        """
        values = _whole(patch, self.path)
        indices = self.index_of[values - _LOWEST]
        indices[~patch.valid] = self.classes.ignore_index
        unknown = indices == UNKNOWN
        if unknown.any():
            raise LabelError(
                f"{self.path} holds the class value {values[unknown][0]}, which is not among the "
                f"classes {', '.join(map(str, self.classes.values))}; add it to the class table, "
                "remap it, or make it the raster's nodata value."
            )
        return indices.astype(self.classes.index_dtype)


def label_values(scene: Scene, wanted: Classification, remap: Remap) -> LabelValues:
    """Decide what the values of a raster mean.

    Args:
        scene: the raster, of one band. Without a class table it is read once.
        wanted: the classes to expect, if any.
        remap: rules for its values and names.

    Raises:
        LabelError: if the raster holds no label, or a value that is no class value.
    """
    legend = read_legend(scene.path)
    no_label = _no_label(wanted, legend)
    if wanted.table is None:
        occurs = _occurs(scene)
        if no_label not in remap.values:
            occurs[no_label - _LOWEST] = False
        occurring = np.flatnonzero(occurs) + _LOWEST
        if not len(occurring):
            raise LabelError(
                f"The label raster {scene.path} holds no label; check its nodata value."
            )
        numbers = occurring.tolist()
    else:
        expected = {*wanted.table.values, *wanted.remap.values, *remap.values, *legend.names}
        numbers = sorted(n for n in expected if _LOWEST <= n <= _HIGHEST)
    sources = [_source(number, legend) for number in numbers]
    found = assign_classes(sources, wanted, remap, scene.path, legend)
    ignored = found.classes.ignore_index
    index_of = np.full(_HIGHEST - _LOWEST + 1, found.rest, np.int32)
    index_of[no_label - _LOWEST] = ignored
    index_of[np.array(numbers) - _LOWEST] = found.indices
    if no_label not in (*remap.values, *wanted.remap.values):
        index_of[no_label - _LOWEST] = ignored
    return LabelValues(scene.path, found.classes, found.is_named_only, index_of)


def _no_label(wanted: Classification, legend: Legend) -> int:
    """The value that carries no label: 255, or 65535 where there are classes of higher values."""
    if wanted.table is not None:
        return wanted.table.nodata
    return nodata_of(map_dtype(legend.names))


def _source(number: int, legend: Legend) -> SourceClass:
    name = legend.names.get(number)
    return SourceClass(
        (number,) if name is None else (number, name), number, name, legend.colors.get(number)
    )


def _occurs(scene: Scene) -> NDArray[np.bool_]:
    """Which values occur, read tile by tile."""
    height, width = scene.shape
    seen = np.zeros(_HIGHEST - _LOWEST + 1, bool)
    tiles = [(r, c) for r in range(0, height, _TILE) for c in range(0, width, _TILE)]
    with SceneReader(scene) as reader:
        for row, col in track(tiles, "classes"):
            size = min(_TILE, height - row), min(_TILE, width - col)
            patch = reader.read_raw(row, col, *size)
            seen[_whole(patch, scene.path)[patch.valid] - _LOWEST] = True
    return seen


def _whole(patch: RawPatch, path: str) -> NDArray[np.int64]:
    """Values as whole numbers, 0 where a pixel is not valid."""
    values = np.where(patch.valid, patch.pixels[0], 0)
    bad = (values < _LOWEST) | (values > _HIGHEST)
    if values.dtype.kind == "f":
        bad |= values != np.round(values)
    if bad.any():
        raise LabelError(
            f"{path} holds the value {values[bad][0]:g}, which is no class value; use whole "
            f"numbers from 0 to {HIGHEST_VALUE}, and declare a nodata value for unlabelled pixels."
        )
    return values.astype(np.int64)
