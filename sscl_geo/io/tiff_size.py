"""How long a TIFF must be for all that its directories speak of."""

import struct
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
    """Formats, as :mod:`struct` has them, of what a classic TIFF and a BigTIFF write differently.

    Attributes:
        order: byte order.
        number: an offset in the file.
        head: number of the entries of a directory.
        entry: tag, type, number of values, and the values or where they lie.
    """

    order: str
    number: str
    head: str
    entry: str


class _Entry(NamedTuple):
    dtype: str
    count: int
    inline: bytes


def declared_size(path: Path, size: int) -> int:
    """Least size in bytes of a TIFF that holds all blocks of its images, overviews and masks.

    Only directories and the tables of blocks in them are read: a millisecond for a scene of
    100,000 blocks, where asking GDAL for each block takes seconds. Classic TIFF and BigTIFF
    (TIFF 6.0, section 2; the BigTIFF design of libtiff).

    Args:
        path: a local TIFF that GDAL can open.
        size: of the file, in bytes.

    Returns:
        the size; one more than the file has if a directory itself is cut off.
    """
    with path.open("rb") as file:
        try:
            return _end_of_blocks(file, size)
        except EOFError:
            return size + 1


def _end_of_blocks(file: BinaryIO, size: int) -> int:
    order = ">" if _read(file, 0, 2) == b"MM" else "<"
    (magic,) = struct.unpack(f"{order}H", _read(file, 2, 2))
    kinds = ("Q", "Q", "HHQ8s") if magic == 43 else ("I", "H", "HHI4s")
    layout = _Layout(order, *(order + kind for kind in kinds))
    width = struct.calcsize(layout.number)
    (ahead,) = struct.unpack(layout.number, _read(file, width, width))
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
                end = max(end, int((starts + lengths)[lengths > 0].max(initial=0)))
    return end


def _directory(file: BinaryIO, at: int, layout: _Layout) -> tuple[Mapping[int, _Entry], int]:
    """Entries by tag, and where the next directory lies (0 after the last)."""
    head, of_entry = struct.calcsize(layout.head), struct.calcsize(layout.entry)
    (count,) = struct.unpack(layout.head, _read(file, at, head))
    length = struct.calcsize(layout.number)
    table = _read(file, at + head, count * of_entry + length)
    (following,) = struct.unpack(layout.number, table[-length:])
    entries = {
        tag: _Entry(layout.order + _TYPES[kind], values, inline)
        for tag, kind, values, inline in struct.iter_unpack(layout.entry, table[:-length])
        if kind in _TYPES
    }
    return entries, following


def _values(file: BinaryIO, size: int, entry: _Entry, layout: _Layout) -> NDArray[np.uint64]:
    length = entry.count * np.dtype(entry.dtype).itemsize
    if length <= len(entry.inline):
        found = entry.inline[:length]
    else:
        (at,) = struct.unpack(layout.number, entry.inline)
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
