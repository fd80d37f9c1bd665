"""A short text that differs where texts or arrays do."""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike


def digest(texts: Iterable[str] = (), arrays: Iterable[ArrayLike] = ()) -> str:
    """Twelve hexadecimal digits that differ where any of some texts or arrays does.

    Args:
        texts: in order.
        arrays: in order; their shapes and types count.

    Example:
        >>> from sscl_geo.io.digest import digest
        >>> digest(["a", "b"]) == digest(["ab"])
        False
    """
    found = hashlib.sha256()
    for text in texts:
        found.update(f"{len(text)} {text}".encode())
    for array in map(np.ascontiguousarray, arrays):
        found.update(f"{array.shape} {array.dtype}".encode())
        found.update(array.tobytes())
    return found.hexdigest()[:12]
