"""The blend of a tile as machine code: row by row, in the processor's innermost cache.

What PyTorch does in a dozen operations, each of which takes the pixels from memory and puts them
back, is one pass here. Numba keeps what it compiled on the disk, and looks at this file to see
whether that is still good, so all that is compiled stands in it.

Written so that the compiler can work on eight pixels at once: inner loops run over neighbouring
pixels, do not branch, and never overwrite what they choose from. That is why the largest value is
handed from one row of memory to another and back.

Large arrays are flat: pixels are at a place, and at a step from it for each further channel. To
hand out parts of arrays would count who holds them, which takes as long as the work on a row.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sscl_geo.maps.compiling import compiled

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


Floats = NDArray[np.float32]
Indexes = NDArray[np.unsignedinteger]


@compiled
def _largest(values: Floats, at: tuple[int, int], channels: int, n: int, memory: Floats) -> int:
    """Largest value of each of n pixels; four at a time, the last more than once.

    Returns:
        the row of ``memory``, 0 or 1, that has them.
    """
    last = channels - 1
    v, before = values[at[0] : at[0] + n], memory[0]
    for c in range(n):
        before[c] = v[c]
    side = 0
    for k in range(1, last + 1, 4):
        a, b = at[0] + k * at[1], at[0] + min(k + 1, last) * at[1]
        d, e = at[0] + min(k + 2, last) * at[1], at[0] + min(k + 3, last) * at[1]
        v, w, x, y = values[a : a + n], values[b : b + n], values[d : d + n], values[e : e + n]
        before, after = memory[side], memory[1 - side]
        side = 1 - side
        for c in range(n):
            after[c] = max(v[c], w[c], x[c], y[c], before[c])
    return side


@compiled
def _index_of_largest(
    values: Floats,
    at: tuple[int, int],
    channels: int,
    n: int,
    memory: Floats,
    numbers: NDArray[np.int32],
    out: Indexes,
    into: int,
) -> None:
    """Index of the largest value of each of n pixels, the first of equals.

    0 where a value is NaN or positive infinity, of which a softmax makes NaN throughout.
    """
    last = channels - 1
    v, best, index, total = values[at[0] : at[0] + n], memory[0], numbers[0], memory[2]
    for c in range(n):
        best[c] = v[c]
        total[c] = v[c]
        index[c] = 0
    side = 0
    for k in range(1, last + 1, 3):
        k_w, k_x = min(k + 1, last), min(k + 2, last)
        a, b, d = at[0] + k * at[1], at[0] + k_w * at[1], at[0] + k_x * at[1]
        v, w, x = values[a : a + n], values[b : b + n], values[d : d + n]
        best, best_after = memory[side], memory[1 - side]
        index, index_after = numbers[side], numbers[1 - side]
        side = 1 - side
        n_v, n_w, n_x = np.int32(k), np.int32(k_w), np.int32(k_x)
        for c in range(n):
            most, i = best[c], index[c]
            value = v[c]
            i = n_v if value > most else i
            most = max(most, value)
            value = w[c]
            i = n_w if value > most else i
            most = max(most, value)
            value = x[c]
            i = n_x if value > most else i
            most = max(most, value)
            best_after[c] = most
            index_after[c] = i
            total[c] += (v[c] + w[c]) + value
    index, found = numbers[side], out[into : into + n]
    for c in range(n):
        found[c] = index[c] if total[c] < np.inf else 0


@compiled
def _activate(
    values: Floats,
    at: tuple[int, int],
    channels: int,
    n: int,
    activation: int,
    memory: Floats,
    store: Floats,
) -> None:
    """Activate n pixels up to a divisor, which the last row of ``memory`` takes."""
    total, largest = memory[3], memory[0]
    if activation == SOFTMAX:
        largest = memory[_largest(values, at, channels, n, memory)]
    for c in range(n):
        total[c] = _ZERO if activation == SOFTMAX else _ONE
    for k in range(channels):
        a, b = at[0] + k * at[1], k * PIXELS
        x, y = values[a : a + n], store[b : b + n]
        if activation == SOFTMAX:
            for c in range(n):
                power = exponential(x[c] - largest[c])
                y[c] = power
                total[c] += power
        elif activation == SIGMOID:
            for c in range(n):
                power = exponential(-abs(x[c]))
                y[c] = (power if x[c] < _ZERO else _ONE) / (_ONE + power)
        else:
            for c in range(n):
                y[c] = x[c]


@compiled
def _weigh_and_add(
    store: Floats,
    weight: Floats,
    channels: int,
    n: int,
    earlier: tuple[int, int],
    into: tuple[int, int],
) -> None:
    """Weigh n activated pixels, add what was there, and put them into another place."""
    for k in range(channels):
        v, e, o = k * PIXELS, earlier[0] + k * earlier[1], into[0] + k * into[1]
        values, before, out = store[v : v + n], store[e : e + n], store[o : o + n]
        for c in range(n):
            out[c] = values[c] * weight[c] + before[c]


@compiled
def _edge_before(edges: NDArray[np.int64], at_least: int, column: int) -> int:
    """Number of the last edge that is not behind a column."""
    edge = at_least
    while edges[edge + 1] <= column:
        edge += 1
    return edge


@compiled
def _end_of_piece(first: int, width: int, seen: int, ready: int) -> int:
    """Column up to which all is alike, or as far as the cache holds."""
    stop = min(width, first + PIXELS)
    stop = min(stop, seen) if first < seen else stop
    return min(stop, ready) if first < ready else stop


@compiled
def _left_to_others(
    first: int,
    ready: tuple[int, int],
    side: tuple[int, int],
    down: tuple[int, int],
    channels: int,
) -> tuple[int, int]:
    """Where the tile at the right, or else those below, will look for pixels."""
    if first >= ready[1]:
        return side[0] - ready[1], side[1]
    return down[0] - ready[0] * channels * down[1], down[1]


@compiled
def blend_rows(
    values: Floats,
    shape: tuple[int, int, int],
    corner: tuple[int, int],
    activation: int,
    row_weights: Floats,
    col_weights: Floats,
    rows: tuple[int, int],
    left: int,
    seen: tuple[int, int],
    ready: tuple[int, int],
    store: Floats,
    beside: tuple[int, int],
    below: tuple[int, int],
    edges: NDArray[np.int64],
    sums: int,
    index: Indexes,
    found_shape: tuple[int, int],
    memory: Floats,
    numbers: NDArray[np.int32],
) -> None:
    """Blend some rows of a tile with what earlier tiles left.

    Args:
        values: flat, of ``shape``.
        shape: channels, rows and columns of the tile.
        corner: first row and column that have weight.
        activation: :data:`SOFTMAX`, :data:`SIGMOID` or 0.
        row_weights: weight of each row from the corner on.
        col_weights: weight of each column from the corner on.
        rows: first row to blend and row after the last, from the corner.
        left: column that is computed at which the corner stands.
        seen: rows that the tiles above, and columns that the tile to the left has added to.
        ready: rows and columns to which no later tile adds.
        store: flat; begins with (2, channels, PIXELS) for pixels in work, and PIXELS zeros.
        beside: place in the store of what the tile at the left leaves to that at the right, (rows,
            channels, columns), and the number of its columns.
        below: place in the store of what tile rows leave to the next, and the number of its rows;
            what lies between two ``edges`` lies together, (rows, channels, columns).
        edges: columns that are computed, from 0 to their number.
        sums: place in the store of (channels, *``found_shape``): takes finished values.
        index: flat, of ``found_shape``: takes the index of the largest instead, unless it is empty.
        found_shape: rows, from the first of ``rows`` on, and columns of what is finished.
        memory: shape (4, PIXELS), for what is known of pixels in work.
        numbers: shape (2, PIXELS), likewise.
    """
    channels, width, wants_index = shape[0], len(col_weights), index.size > 0
    weight = memory[3]
    nearest = _edge_before(edges, 0, left)
    for r in range(rows[0], rows[1]):
        first, edge = 0, nearest
        while first < width:
            edge = _edge_before(edges, edge, left + first)
            begin, end = edges[edge] - left, edges[edge + 1] - left
            stop = _end_of_piece(first, min(width, end), seen[1], ready[1])
            n, is_last = stop - first, r < ready[0] and first < ready[1]
            at = (corner[0] + r) * shape[2] + corner[1] + first, shape[1] * shape[2]
            found = (r - rows[0]) * found_shape[1] + first
            if wants_index and is_last and r >= seen[0] and first >= seen[1]:
                # No other tile sees these, and to activate them does not change their order.
                _index_of_largest(values, at, channels, n, memory, numbers, index, found)
                first = stop
                continue
            _activate(values, at, channels, n, activation, memory, store)
            for c in range(n):
                weight[c] = row_weights[r] * col_weights[first + c] / weight[c]
            side = beside[0] + r * channels * beside[1] + first, beside[1]
            down = below[0] + (below[1] * edges[edge] + r * (end - begin)) * channels
            down = down + first - begin, end - begin
            if not is_last:
                into = _left_to_others(first, ready, side, down, channels)
            elif wants_index:
                into = channels * PIXELS, PIXELS
            else:
                into = sums + found, found_shape[0] * found_shape[1]
            earlier = side if first < seen[1] else down
            if first >= seen[1] and r >= seen[0]:
                earlier = 2 * channels * PIXELS, 0
            _weigh_and_add(store, weight, channels, n, earlier, into)
            if is_last and wants_index:
                _index_of_largest(store, into, channels, n, memory, numbers, index, found)
            first = stop
