"""What memory this process has needed, and what it keeps."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Final, Self

import numpy as np

_SECONDS_BETWEEN_LOOKS: Final = 0.001

_BLOCK: Final = 31 * 2**20


def peak_rss() -> int:
    """Most physical memory that the process has had so far, in bytes; 0 where nobody tells.

    On Linux from proc(5): getrusage(2) also counts what the parent held when it started this
    process, which is wrong for a small process that a large one starts.
    """
    with suppress(OSError, StopIteration):
        return _status("VmHWM")
    if os.name == "nt":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


class RssWatch:
    """Most physical memory that the process has while a ``with`` block runs.

    Not the peak of its whole life, which a process never forgets: a notebook or a worker may have
    held much more before. Linux can be made to forget it, but for everybody who asks. So the peak
    counts only where it rises within the block; elsewhere a thread looks every millisecond, which
    may miss a shorter one below the peak of before. On other systems it is :func:`peak_rss`.

    Attributes:
        peak: bytes; known when the block has ended.

    Example:
        >>> with RssWatch() as watch:
        ...     numbers = list(range(1_000_000))
        >>> watch.peak <= peak_rss()
        True
    """

    def __enter__(self) -> Self:
        self.peak, self._before, self._end = 0, peak_rss(), Event()
        self._thread = Thread(target=self._look, name="memory", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._look()
        if not self.peak or peak_rss() > self._before:
            self.peak = peak_rss()

    def _look(self) -> None:
        with suppress(OSError, StopIteration):
            self.peak = max(self.peak, _status("VmRSS"))
            while not self._end.wait(_SECONDS_BETWEEN_LOOKS):
                self.peak = max(self.peak, _status("VmRSS"))


def keep_freed_memory() -> None:
    """Let the C library keep memory that is freed for whoever asks next.

    GNU's gives larger blocks back to the system, which clears them page by page when they are asked
    for again: with GDAL's blocks of half a megabyte this is a twentieth of all the host's work. It
    takes as *larger* what is larger than any it was given back so far, up to 32 MB (mallopt(3),
    ``M_MMAP_THRESHOLD``), so one untouched block is enough. Other libraries do not mind.
    """
    np.empty(_BLOCK, np.uint8)


def _status(name: str) -> int:
    """A number of proc(5), in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])
