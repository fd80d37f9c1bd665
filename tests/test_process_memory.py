"""The peak of a process is its own."""

import subprocess
import sys

import numpy as np

from sscl_geo.process_memory import peak_rss

PRINT = "from sscl_geo.process_memory import peak_rss; print(peak_rss())"


def test_the_peak_rises_by_what_is_used_and_stays() -> None:
    before = peak_rss()
    used = np.ones(before + 50_000_000, np.uint8)
    assert peak_rss() >= before + 50_000_000
    del used
    assert peak_rss() >= before + 50_000_000


def test_a_small_process_does_not_count_its_large_parent() -> None:
    held = np.ones(300_000_000, np.uint8)
    small = subprocess.run(
        [sys.executable, "-c", PRINT], check=True, capture_output=True, text=True
    )
    assert int(small.stdout) < held.nbytes
