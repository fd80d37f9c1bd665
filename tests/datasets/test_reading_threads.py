"""Threads that read do not live through a fork."""

import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from sscl_geo import OverlapPairSampler, PairDataset, SceneDataset
from sscl_geo.datasets.reading_threads import ReadingThreads


def readers() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("read")}


def test_things_are_shared_out_among_threads_in_their_order() -> None:
    together = threading.Barrier(2, timeout=10)

    def wait(number: int) -> tuple[int, bool]:
        together.wait()
        return number, threading.current_thread() is threading.main_thread()

    assert list(ReadingThreads().map(wait, [3, 1], threads=2)) == [(3, False), (1, False)]


@pytest.mark.parametrize(("count", "threads"), [(1, 4), (4, 1), (0, 4)])
def test_one_thing_or_one_thread_needs_no_other_thread(count: int, threads: int) -> None:
    used = ReadingThreads().map(lambda _: threading.current_thread(), range(count), threads)
    assert set(used) <= {threading.main_thread()}


def test_no_thread_is_there_when_the_process_forks_and_all_go_on_reading(make_scene) -> None:
    values = np.random.default_rng(0).integers(1, 9999, (2, 200, 200)).astype(np.uint16)
    scenes = SceneDataset(make_scene(values, compress="deflate"))
    pairs = PairDataset(scenes, 16, threads=2)
    indexes = list(OverlapPairSampler(scenes, size=16, length=64, pairs_per_cell=4))
    expected = pairs.__getitems__(indexes).stacked["image"].clone()
    assert readers()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        again = PairDataset(scenes, 16, threads=2).__getitems__(indexes).stacked["image"]
        same = pairs.__getitems__(indexes).stacked["image"]
        os._exit(0 if (again == expected).all() and (same == expected).all() else 1)
    assert not readers()
    assert os.waitpid(child, 0)[1] == 0
    assert (pairs.__getitems__(indexes).stacked["image"] == expected).all()


def test_a_fork_does_not_keep_what_nobody_uses() -> None:
    threads = ReadingThreads()
    gone = weakref.ref(threads)
    del threads
    gc.collect()
    assert gone() is None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork workers")
def test_python_warns_of_no_thread_of_ours_when_workers_start(make_scene) -> None:
    path = make_scene(np.ones((2, 200, 200), np.uint16))
    code = f"""
import warnings
from torch.utils.data import DataLoader
from sscl_geo import OverlapPairSampler, PairDataset, SceneDataset
scenes = SceneDataset({str(path)!r})
sampler = OverlapPairSampler(scenes, size=16, length=64, batch_size=16, num_workers=2)
pairs = PairDataset(scenes, 16, threads=2)
pairs.__getitems__(list(sampler))
loader = DataLoader(pairs, 16, sampler=sampler, num_workers=2, multiprocessing_context="fork")
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always")
    assert sum(len(batch["image"]) for batch in loader) == 64
print(*[each.message for each in heard])
"""
    # PyArrow starts a thread as it is imported, of which Python warns just as well.
    quiet = {"JE_ARROW_MALLOC_CONF": "background_thread:false", "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | quiet,
    )
