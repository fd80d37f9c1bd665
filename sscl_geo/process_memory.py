"""How much memory this process has needed."""

import os
import sys
from contextlib import suppress
from pathlib import Path


def peak_rss() -> int:
    """Most physical memory that the process has had so far, in bytes; 0 where nobody tells.

    On Linux from proc(5): getrusage(2) also counts what the parent held when it started this
    process, which is wrong for a small process that a large one starts.
    """
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    if os.name == "nt":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
