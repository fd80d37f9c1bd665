"""From label files to class indices."""

import numpy as np
from numpy.typing import NDArray

from sscl_geo.classes import IGNORE_INDEX, ClassTable
from sscl_geo.errors import LabelError

_HALF = 128
_UNCLEAR = (64, 192)
_MOST_UNCLEAR = 0.1


def decode_colors(
    pixels: NDArray[np.uint8], classes: ClassTable, path: object
) -> NDArray[np.uint8]:
    """Class indices of labels that hold colours, each channel of which is 0 or 255.

    Channels are cut at 128, as DeepGlobe's owners ask for. Exact comparison would lose two of
    Potsdam's tiles: 4_12 was compressed with losses, and 6_7 has cars in (252, 255, 0). A colour of
    no class, such as the black of eroded boundaries, is unlabelled.

    Args:
        pixels: shape (3, height, width).
        classes: the classes; their colours are corners of the RGB cube.
        path: file, for messages.

    Returns:
        shape (height, width), :data:`~sscl_geo.classes.IGNORE_INDEX` where there is no label.

    Raises:
        LabelError: if these are no such colours, as in a photograph.

    Example:
        >>> import numpy as np
        >>> from sscl_geo.studies.isprs import CLASSES
        >>> from sscl_geo.studies.label_codes import decode_colors
        >>> pixels = np.array([[252, 255, 0], [9, 222, 221], [0, 0, 0]], np.uint8)
        >>> decode_colors(pixels.T[:, None], CLASSES, "labels.tif").tolist()
        [[4, 2, 255]]
    """
    if pixels.shape[0] < 3 or pixels.dtype != np.uint8:
        raise LabelError(
            f"{path} has {pixels.shape[0]} bands of {pixels.dtype}; give label files whose three "
            "bands of bytes are the colours of the classes."
        )
    low, high = _UNCLEAR
    unclear = float(((pixels[:3] >= low) & (pixels[:3] < high)).mean())
    if unclear > _MOST_UNCLEAR:
        raise LabelError(
            f"{path} holds {unclear:.0%} of values between {low} and {high}, which no colour of a "
            "class has; give the label files, not images."
        )
    weights = np.array([4, 2, 1], np.uint8)
    index_of = np.full(8, IGNORE_INDEX, np.uint8)
    for index, item in enumerate(classes):
        index_of[(np.array(item.color) >= _HALF) @ weights] = index
    corner = np.zeros(pixels.shape[1:], np.uint8)
    for channel, weight in zip(pixels[:3], weights, strict=True):
        corner += (channel >= _HALF) * weight
    return index_of[corner]


def decode_values(
    pixels: NDArray[np.generic],
    classes: ClassTable,
    ignored: frozenset[int],
    known: ClassTable,
    path: object,
) -> NDArray[np.uint8]:
    """Class indices of labels that hold values.

    Args:
        pixels: shape (1, height, width).
        classes: the classes that count.
        ignored: values that mean no class.
        known: all classes that labels may hold; those that do not count are unlabelled.
        path: file, for messages.

    Returns:
        as :func:`decode_colors`.

    Raises:
        LabelError: if a value is neither ignored nor one of a class.
    """
    index_of = np.full(256, IGNORE_INDEX, np.uint8)
    for index, item in enumerate(classes):
        index_of[item.value] = index
    found = set(np.unique(pixels).tolist())
    strange = sorted(found - set(known.values) - ignored)
    if strange or pixels.shape[0] != 1:
        what = f"the value {strange[0]}" if strange else f"{pixels.shape[0]} bands"
        values = ", ".join(map(str, known.values))
        raise LabelError(
            f"{path} holds {what}, but labels of one band with the values {values} are expected; "
            "give the label files as their owners publish them."
        )
    return index_of[pixels[0].astype(np.uint8)]
