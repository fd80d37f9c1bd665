"""The peak of a process is its own."""

import platform
import subprocess
import sys

import numpy as np
import pytest

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


WATCH = """
from mmap import mmap
from sscl_geo.process_memory import RssWatch, peak_rss

def hold(size):
    # Not through malloc, which may serve it from what it kept of what was freed before.
    with mmap(-1, size) as held:
        for page in range(0, size, 4096):
            held[page] = 1

hold(400_000_000)
before = peak_rss()
with RssWatch() as little:
    pass
with RssWatch() as much:
    hold(500_000_000)
print(before, little.peak, much.peak)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others do not tell")
def test_a_watch_sees_what_rises_within_and_not_what_was_before() -> None:
    done = subprocess.run([sys.executable, "-c", WATCH], check=True, capture_output=True)
    before, little, much = map(int, done.stdout.split())
    assert little < before - 300_000_000
    assert much > little + 450_000_000


KEEP = """
import resource
from sscl_geo.process_memory import keep_freed_memory
import numpy as np

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        blocks = [np.ones(500_000, np.uint8) for _ in range(20)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults()
keep_freed_memory()
faults()
print(first, faults())
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other libraries keep what they want to"
)
def test_memory_that_was_freed_is_not_asked_for_again() -> None:
    done = subprocess.run([sys.executable, "-c", KEEP], check=True, capture_output=True)
    before, after = map(int, done.stdout.split())
    assert after < before / 4
