"""The blend of a tile as machine code: row by row, in the processor's innermost cache.

What PyTorch does in a dozen operations, each of which takes the pixels from memory and puts them
back, is one pass here. Numba compiles it when it is first called and keeps the result on the disk.
It looks at this file to see whether that is still good, so all that is compiled stands in it.

Written so that the compiler can work on eight pixels at once: inner loops run over neighbouring
pixels, do not branch, and never overwrite what they choose from. That is why the largest value is
handed from one row of memory to another and back.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

SOFTMAX: Final = 1
"""Activation: values sum to 1 at each pixel."""

SIGMOID: Final = 2
"""Activation: each value by itself."""

PIXELS: Final = 256
"""Pixels of a row that are worked on at once."""

_LOG2_E: Final = np.float32(np.log2(np.e))
_LN_2: Final = np.float32(np.log(2))
_ROUND: Final = np.float32(1.5 * 2**23)
_LEAST: Final = np.float32(-87)
_ZERO: Final = np.float32(0)
_ONE: Final = np.float32(1)
_MANTISSA: Final = np.int32(23)
# (exp(r) - 1 - r) / r^2 between -ln(2)/2 and ln(2)/2, interpolated at Chebyshev's nodes.
_C0: Final = np.float32(0.5)
_C1: Final = np.float32(0.16666577)
_C2: Final = np.float32(0.04166655)
_C3: Final = np.float32(0.00836318)
_C4: Final = np.float32(0.00139262)


def compiled[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function when it is first called, for good where there is a folder to write to."""
    # Fused multiplication and addition is all the freedom taken: NaN and infinity stay what they
    # are. Division by 0 gives infinity, as in NumPy; to raise would need a branch at each pixel.
    compiler = partial(numba.njit, nogil=True, fastmath={"contract"}, error_model="numpy")
    try:
        return compiler(cache=True)(function)
    except RuntimeError:  # neither beside this file nor in the user's cache folder
        return compiler()(function)


@compiled
def exponential(x: np.float32) -> np.float32:
    """Exponential of a number that is not positive, to a unit in the last place near 0.

    2^n exp(r), of which the first factor is written into the exponent of the second. Less than
    exp(-87), which is 1e-38, it does not get; NaN stays NaN.
    """
    x = max(x, _LEAST)
    shifted = np.float32(x * _LOG2_E + _ROUND)  # its last bits are n
    r = x - (shifted - _ROUND) * _LN_2
    q = (((_C4 * r + _C3) * r + _C2) * r + _C1) * r + _C0
    power = np.float32(q * (r * r) + (r + _ONE)).view(np.int32)
    return np.int32(power + np.int32(shifted.view(np.int32) << _MANTISSA)).view(np.float32)


@compiled
def _largest(
    values: NDArray[np.float32], row: int, col: int, n: int, memory: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Largest value of each of n pixels of a row; four at a time, the last more than once."""
    last = values.shape[0] - 1
    v, before = values[0, row, col : col + n], memory[0]
    for c in range(n):
        before[c] = v[c]
    side = 0
    for k in range(1, last + 1, 4):
        v = values[k, row, col : col + n]
        w = values[min(k + 1, last), row, col : col + n]
        x = values[min(k + 2, last), row, col : col + n]
        y = values[min(k + 3, last), row, col : col + n]
        before, after = memory[side], memory[1 - side]
        side = 1 - side
        for c in range(n):
            after[c] = max(v[c], w[c], x[c], y[c], before[c])
    return memory[side]


@compiled
def _index_of_largest(
    values: NDArray[np.float32],
    row: int,
    col: int,
    n: int,
    memory: NDArray[np.float32],
    numbers: NDArray[np.int32],
    out: NDArray[np.unsignedinteger],
) -> None:
    """Index of the largest value of each of n pixels, the first of equals.

    0 where a value is NaN or positive infinity, of which a softmax makes NaN throughout.
    """
    last = values.shape[0] - 1
    v, best, index, total = values[0, row, col : col + n], memory[0], numbers[0], memory[2]
    for c in range(n):
        best[c] = v[c]
        total[c] = v[c]
        index[c] = 0
    side = 0
    for k in range(1, last + 1, 3):
        k_w, k_x = min(k + 1, last), min(k + 2, last)
        v = values[k, row, col : col + n]
        w = values[k_w, row, col : col + n]
        x = values[k_x, row, col : col + n]
        best, best_after = memory[side], memory[1 - side]
        index, index_after = numbers[side], numbers[1 - side]
        side = 1 - side
        n_v, n_w, n_x = np.int32(k), np.int32(k_w), np.int32(k_x)
        for c in range(n):
            a, i = best[c], index[c]
            b = v[c]
            i = n_v if b > a else i
            a = max(a, b)
            b = w[c]
            i = n_w if b > a else i
            a = max(a, b)
            b = x[c]
            i = n_x if b > a else i
            a = max(a, b)
            best_after[c] = a
            index_after[c] = i
            total[c] += (v[c] + w[c]) + b
    index = numbers[side]
    for c in range(n):
        out[c] = index[c] if total[c] < np.inf else 0


@compiled
def _activate(
    values: NDArray[np.float32],
    row: int,
    col: int,
    n: int,
    activation: int,
    memory: NDArray[np.float32],
    into: NDArray[np.float32],
    total: NDArray[np.float32],
) -> None:
    """Activate n pixels of a row up to a divisor, which ``total`` takes."""
    count = values.shape[0]
    if activation == SOFTMAX:
        largest = _largest(values, row, col, n, memory)
        for c in range(n):
            total[c] = _ZERO
        for k in range(count):
            x, y = values[k, row, col : col + n], into[k, 0]
            for c in range(n):
                power = exponential(x[c] - largest[c])
                y[c] = power
                total[c] += power
        return
    for c in range(n):
        total[c] = _ONE
    for k in range(count):
        x, y = values[k, row, col : col + n], into[k, 0]
        if activation == SIGMOID:
            for c in range(n):
                power = exponential(-abs(x[c]))
                y[c] = (power if x[c] < _ZERO else _ONE) / (_ONE + power)
        else:
            for c in range(n):
                y[c] = x[c]


@compiled
def _weigh(
    values: NDArray[np.float32], weight: NDArray[np.float32], n: int, out: NDArray[np.float32]
) -> None:
    for c in range(n):
        out[c] = values[c] * weight[c]


@compiled
def _weigh_and_add(
    values: NDArray[np.float32],
    weight: NDArray[np.float32],
    n: int,
    earlier: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    for c in range(n):
        out[c] = values[c] * weight[c] + earlier[c]


@compiled
def _blend(
    r: int,
    first: int,
    stop: int,
    left: int,
    seen: tuple[int, int],
    ready: tuple[int, int],
    total: NDArray[np.float32],
    beside: NDArray[np.float32],
    below: NDArray[np.float32],
    scratch: NDArray[np.float32],
    finished: NDArray[np.float32],
    at: tuple[int, int],
) -> None:
    """Weigh activated pixels of a row, add what is there, and put them where they belong."""
    n = stop - first
    for k in range(len(scratch)):
        if first >= ready[1]:
            out = beside[r, k, first - ready[1] : stop - ready[1]]
        elif r >= ready[0]:
            out = below[r - ready[0], k, left + first : left + stop]
        else:
            out = finished[k, at[0], at[1] : at[1] + n]
        if first < seen[1]:
            _weigh_and_add(scratch[k, 0], total, n, beside[r, k, first:stop], out)
        elif r < seen[0]:
            earlier = below[r, k, left + first : left + stop]
            _weigh_and_add(scratch[k, 0], total, n, earlier, out)
        else:
            _weigh(scratch[k, 0], total, n, out)


@compiled
def blend_rows(
    values: NDArray[np.float32],
    corner: tuple[int, int],
    activation: int,
    row_weights: NDArray[np.float32],
    col_weights: NDArray[np.float32],
    rows: tuple[int, int],
    left: int,
    seen: tuple[int, int],
    ready: tuple[int, int],
    beside: NDArray[np.float32],
    below: NDArray[np.float32],
    sums: NDArray[np.float32],
    index: NDArray[np.unsignedinteger],
    scratch: NDArray[np.float32],
    memory: NDArray[np.float32],
    numbers: NDArray[np.int32],
) -> None:
    """Blend some rows of a tile with what earlier tiles left.

    Args:
        values: shape (channels, tile, tile), C-contiguous as are all.
        corner: first row and column that have weight.
        activation: :data:`SOFTMAX`, :data:`SIGMOID` or 0.
        row_weights: weight of each row from the corner on.
        col_weights: weight of each column from the corner on.
        rows: first row to blend and row after the last, from the corner.
        left: column of ``below`` at which the corner stands.
        seen: rows that the tiles above, and columns that the tile to the left has added to.
        ready: rows and columns to which no later tile adds.
        beside: shape (rows, channels, columns), of the tile at the left, for that at the right.
        below: shape (rows, channels, columns), from tile row to tile row.
        sums: shape (channels, rows, columns), takes finished values from the first of ``rows`` on;
            left alone where ``index`` is wanted.
        index: shape (rows, columns), takes the index of the largest finished value, likewise; not
            wanted where it is empty.
        scratch: shape (channels, 2, PIXELS).
        memory: shape (4, PIXELS).
        numbers: shape (2, PIXELS).
    """
    width = len(col_weights)
    wants_index = index.size > 0
    total = memory[3]
    for r in range(rows[0], rows[1]):
        row = corner[0] + r
        first = 0
        while first < width:
            # Up to where something changes, or as far as the cache holds.
            stop = min(width, first + PIXELS)
            stop = min(stop, seen[1]) if first < seen[1] else stop
            stop = min(stop, ready[1]) if first < ready[1] else stop
            n, col = stop - first, corner[1] + first
            is_last = r < ready[0] and first < ready[1]
            if wants_index and is_last and r >= seen[0] and first >= seen[1]:
                # No other tile sees these, and to activate them does not change their order.
                out = index[r - rows[0], first:stop]
                _index_of_largest(values, row, col, n, memory, numbers, out)
                first = stop
                continue
            _activate(values, row, col, n, activation, memory, scratch, total)
            weights = col_weights[first:stop]
            for c in range(n):
                total[c] = row_weights[r] * weights[c] / total[c]
            finished, at = (scratch, (1, 0)) if wants_index else (sums, (r - rows[0], first))
            _blend(r, first, stop, left, seen, ready, total, beside, below, scratch, finished, at)
            if is_last and wants_index:
                out = index[r - rows[0], first:stop]
                _index_of_largest(scratch, 1, 0, n, memory, numbers, out)
            first = stop
