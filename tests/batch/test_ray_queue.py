"""What is given to Ray's workers and in which order, with a stand-in that works at once."""

import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from sscl_geo.batch import ray_engine
from sscl_geo.batch.jobs import Job, Outcome, Settings


class LostError(Exception):
    pass


@pytest.fixture
def ray(monkeypatch):
    """A stand-in for Ray whose workers do what ``answer`` says; ``asked`` are their jobs."""
    asked = []
    stand_in = SimpleNamespace(answer=lambda _job, _attempt: "done", asked=asked)

    def attempt(job):
        asked.append(job)
        status = stand_in.answer(job, Counter(asked)[job])
        return status, Outcome(job.scene, status, 0.0, str(job.output))

    def get(answer):
        status, outcome = answer
        if status == "lost":
            raise LostError
        return outcome

    worker = SimpleNamespace(attempt=SimpleNamespace(remote=attempt))
    module = SimpleNamespace(
        is_initialized=lambda: True,
        cluster_resources=lambda: {"CPU": 8.0},
        remote=lambda **_: lambda _: SimpleNamespace(remote=lambda *_: worker),
        wait=lambda running, num_returns: (running[:num_returns], running[num_returns:]),
        get=get,
        kill=lambda _: None,
        exceptions=SimpleNamespace(RayError=LostError),
    )
    monkeypatch.setitem(sys.modules, "ray", module)
    return stand_in


def run(jobs):
    return list(ray_engine.segment_with_ray(jobs, Settings((Path("m.safetensors"),)), workers=2))


def test_strips_come_first_and_then_the_map_of_them(ray):
    job = Job("a.tif", Path("a_map.tif"), strips=3)
    (outcome,) = run([job, Job("b.tif", Path("b_map.tif"))])[1:]
    assert outcome.output == "a_map.tif"
    assert ray.asked.index(job) > max(ray.asked.index(strip) for strip in job.shares())
    assert len(ray.asked) == 5


def test_a_strip_whose_worker_is_lost_is_tried_again(ray):
    job = Job("a.tif", Path("a_map.tif"), strips=2)
    lost = job.shares()[1]
    ray.answer = lambda job, attempt: "lost" if job == lost and attempt == 1 else "done"
    (outcome,) = run([job])
    assert outcome.status == "done"
    assert Counter(ray.asked) == {job.shares()[0]: 1, lost: 2, job: 1}


def test_what_fails_every_time_is_tried_three_times(ray):
    job = Job("a.tif", Path("a_map.tif"), strips=2)
    ray.answer = lambda *_: "failed"
    (outcome,) = run([job])
    assert (outcome.status, outcome.output) == ("failed", "a_map.tif")
    assert set(Counter(ray.asked).values()) == {3}


def test_strips_that_are_jobs_of_a_shard_are_told_and_not_put_together(ray):
    jobs = Job("a.tif", Path("a_map.tif"), strips=3).shares()[::2]
    outcomes = run(jobs)
    assert {outcome.output for outcome in outcomes} == {str(job.output) for job in jobs}
    assert set(ray.asked) == set(jobs)
