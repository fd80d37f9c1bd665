"""How long a TIFF must be for all that its directories speak of."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_BLOCKS: Final = ((273, 279), (324, 325))
"""Tags of the offsets and byte counts of strips, and of tiles."""
_TYPES: Final = {3: "u2", 4: "u4", 16: "u8"}
"""Types of numbers in tags: SHORT, LONG, LONG8."""


class _Layout(NamedTuple):
    """Byte order, and the types of what a classic TIFF and a BigTIFF write differently."""

    order: str
    number: str
    entries: str


class _Entry(NamedTuple):
    dtype: np.dtype[np.generic]
    count: int
    inline: bytes


def declared_size(path: Path) -> int:
    """Least size in bytes of a TIFF that holds all blocks of its images, overviews and masks.

    Only directories and the tables of blocks in them are read: a millisecond for a scene of
    100,000 blocks, where asking GDAL for each block takes seconds. Classic TIFF and BigTIFF
    (TIFF 6.0, section 2; the BigTIFF design of libtiff).

    Args:
        path: a local TIFF that GDAL can open.

    Returns:
        the size; one more than the file has if a directory itself is cut off.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            return _end_of_blocks(file, size)
        except EOFError:
            return size + 1


def _end_of_blocks(file: BinaryIO, size: int) -> int:
    order = ">" if _read(file, 0, 2) == b"MM" else "<"
    big = _number(_read(file, 2, 2), order + "u2") == 43
    layout = _Layout(order, "u8", "u8") if big else _Layout(order, "u4", "u2")
    width = np.dtype(layout.number).itemsize
    ahead = _number(_read(file, width, width), order + layout.number)
    seen: set[int] = set()
    end = 0
    while ahead and ahead not in seen:
        seen.add(ahead)
        entries, ahead = _directory(file, ahead, layout)
        for offsets_tag, counts_tag in _BLOCKS:
            if offsets_tag in entries and counts_tag in entries:
                starts, lengths = (
                    _values(file, size, entries[tag], layout) for tag in (offsets_tag, counts_tag)
                )
                # A block without length was never written: a sparse file.
                written = lengths > 0
                end = max(end, int((starts + lengths)[written].max(initial=0)))
    return end


def _directory(file: BinaryIO, at: int, layout: _Layout) -> tuple[Mapping[int, _Entry], int]:
    """Entries by tag, and where the next directory lies (0 after the last)."""
    order, number, head = layout
    count_type, number_type = np.dtype(order + head), np.dtype(order + number)
    count = _number(_read(file, at, count_type.itemsize), count_type.str)
    of_entry = np.dtype(
        [
            ("tag", order + "u2"),
            ("type", order + "u2"),
            ("count", number_type),
            ("value", f"V{number_type.itemsize}"),
        ]
    )
    at += count_type.itemsize
    table = np.frombuffer(_read(file, at, count * of_entry.itemsize), of_entry)
    wanted = {tag for pair in _BLOCKS for tag in pair}
    entries = {
        int(tag): _Entry(np.dtype(order + _TYPES[int(kind)]), int(values), value.tobytes())
        for tag, kind, values, value in table
        if int(tag) in wanted and int(kind) in _TYPES
    }
    following = _read(file, at + table.nbytes, number_type.itemsize)
    return entries, _number(following, number_type.str)


def _values(file: BinaryIO, size: int, entry: _Entry, layout: _Layout) -> NDArray[np.uint64]:
    length = entry.count * entry.dtype.itemsize
    if length <= len(entry.inline):
        found = entry.inline[:length]
    else:
        at = _number(entry.inline, layout.order + layout.number)
        if at + length > size:
            raise EOFError
        found = _read(file, at, length)
    return np.frombuffer(found, entry.dtype).astype(np.uint64)


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    found = file.read(count)
    if len(found) < count:
        raise EOFError
    return found


def _number(found: bytes, dtype: str) -> int:
    return int(np.frombuffer(found, dtype, count=1)[0])
