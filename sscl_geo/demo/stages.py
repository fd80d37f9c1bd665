"""Time and memory of each stage of a run."""

import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from sscl_geo.process_memory import peak_rss

_PROC = Path("/proc/self")


@dataclass(frozen=True)
class Stage:
    """What a stage took.

    Attributes:
        name: what was done.
        seconds: wall-clock time.
        peak_rss_mb: most physical memory of this process during the stage, in MB (10^6 bytes), not
            that of its children; where the system cannot tell it by stage, since the start; 0
            where it cannot tell at all.
    """

    name: str
    seconds: float
    peak_rss_mb: float


@dataclass
class Stages:
    """A log of stages, in order."""

    log: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Measure what the block takes; a block that fails is not logged."""
        _forget_peak()
        start = time.perf_counter()
        yield
        self.log.append(Stage(name, time.perf_counter() - start, peak_rss() / 1e6))

    def frame(self) -> pd.DataFrame:
        """Return the columns ``stage``, ``seconds`` and ``peak_rss_mb``."""
        return pd.DataFrame(
            [(s.name, round(s.seconds, 2), round(s.peak_rss_mb, 1)) for s in self.log],
            columns=["stage", "seconds", "peak_rss_mb"],
        )


def _forget_peak() -> None:
    """Let Linux count the peak anew (proc(5), clear_refs, value 5); elsewhere do nothing."""
    with suppress(OSError):
        (_PROC / "clear_refs").write_text("5")
