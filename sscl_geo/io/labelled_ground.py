"""Labels of the pixels of a scene that have data: from others no network can learn."""

import numpy as np
from numpy.typing import NDArray

from sscl_geo.classes import nodata_of
from sscl_geo.errors import LabelError
from sscl_geo.io.labels import Labels, check_overlap
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.salvage import read_sound
from sscl_geo.io.scene import Scene
from sscl_geo.io.validity import bands_that_mark, marks_invalid
from sscl_geo.progress import track

_TILE = 1024


def labels_on_scene(labels: Labels, scene: Scene) -> NDArray[np.unsignedinteger]:
    """Class indices on a scene's grid, where the scene has data.

    Images are read around the labels only, and not at all where a scene cannot say that it has no
    data. Blocks that cannot be decoded have none.

    Args:
        labels: the labels.
        scene: the scene; any orientation and coordinate reference system.

    Returns:
        class indices (height, width), ``ignore_index`` elsewhere.

    Raises:
        LabelError: if no label lies on a pixel with data.

    Warns:
        SkippedPlaceWarning: if a block of the scene cannot be decoded.
    """
    check_overlap(labels, scene.geobox, scene.path)
    height, width = scene.shape
    indices = np.empty(scene.shape, labels.classes.index_dtype)
    corners = [(row, col) for row in range(0, height, _TILE) for col in range(0, width, _TILE)]
    with SceneReader(scene, bands_that_mark(scene)) as reader:
        for row, col in track(corners, "labels"):
            tile = np.s_[row : min(row + _TILE, height), col : min(col + _TILE, width)]
            indices[tile] = labels.on_grid(scene.geobox[tile])
            if marks_invalid(scene):
                drop_without_data(indices[tile], reader, row, col)
    if (indices == labels.classes.ignore_index).all():
        raise LabelError(
            f"No label of {labels.path} lies on a pixel of {scene.path} that has data; "
            "give labels inside the scene."
        )
    return indices


def drop_without_data(
    indices: NDArray[np.unsignedinteger], reader: SceneReader, row: int, col: int
) -> None:
    """Take labels off pixels without data, reading no more than the box around the labels.

    Args:
        indices: class indices (height, width) of a window, which are changed.
        reader: of the scene, and of those of its bands that must have data.
        row: first row of the window, within the scene as all of it.
        col: first column.
    """
    known = indices != nodata_of(indices.dtype)
    if not known.any():
        return
    (top, bottom), (left, right) = (
        np.flatnonzero(known.any(axis=axis))[[0, -1]] + (0, 1) for axis in (1, 0)
    )
    box = indices[top:bottom, left:right]
    valid = read_sound(reader, row + int(top), col + int(left), *box.shape).valid
    box[~valid] = nodata_of(indices.dtype)
