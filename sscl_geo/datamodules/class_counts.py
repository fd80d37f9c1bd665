"""What the counts of labelled pixels say of a training, before it begins."""

import warnings

import numpy as np
from numpy.typing import NDArray

from sscl_geo.classes import ClassTable
from sscl_geo.errors import LabelError, SkippedLabelWarning


def check_class_counts(classes: ClassTable, counts: NDArray[np.int64]) -> None:
    """See that there are classes to tell apart, and name those that have no label.

    Args:
        classes: the classes of the labels.
        counts: labelled pixels of each that can be learned from.

    Raises:
        LabelError: if fewer than two classes have any.

    Warns:
        SkippedLabelWarning: if a class has none.
    """
    labelled = [c.name for c, count in zip(classes, counts, strict=True) if count]
    missing = [c.name for c, count in zip(classes, counts, strict=True) if not count]
    if len(labelled) < 2:
        raise LabelError(
            f"The labels have one class alone, {', '.join(labelled)}, on pixels to learn from; a "
            "network needs two to tell apart, so label other ground too."
        )
    if missing:
        warnings.warn(
            f"No pixel to learn from is labelled {', '.join(missing)}, so no map will have it; "
            "draw polygons that hold the centre of a pixel, or points, which label theirs.",
            SkippedLabelWarning,
            stacklevel=3,
        )
