"""Machine code of functions that are called with arrays."""

from collections.abc import Callable
from functools import partial

import numba


def compiled[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function when it is first called, for good where there is a folder to write to."""
    # Fused multiplication and addition is all the freedom taken: NaN and infinity stay what they
    # are. Division by 0 gives infinity, as in NumPy; to raise would need a branch at each pixel.
    compiler = partial(numba.njit, nogil=True, fastmath={"contract"}, error_model="numpy")
    try:
        return compiler(cache=True)(function)
    except RuntimeError:  # neither beside this file nor in the user's cache folder
        return compiler()(function)
