"""Spreading scenes over a Ray cluster."""

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

from sscl_geo.batch.jobs import Job, Outcome, SceneSegmenter, Settings
from sscl_geo.errors import ConfigError

_CPUS_A_WORKER: Final = 4
"""CPU cores of a worker where there is no GPU and no number of workers is asked for."""


def segment_with_ray(
    jobs: Sequence[Job], settings: Settings, *, workers: int | None = None, attempts: int = 3
) -> Iterator[Outcome]:
    """Segment scenes on a Ray cluster, whose workers keep their network loaded.

    A worker takes a whole scene. Column strips of a scene that is cut are taken by several workers,
    and one of them makes the map of them.

    The cluster is that of the environment variable ``RAY_ADDRESS``; without it one is started on
    this machine. Scenes, models and maps must lie where every node finds them under the same names.
    A worker that dies is replaced, and its scene or strip is taken up again where it was; other
    failures are tried again too, in case a disk or a server was only busy.

    Args:
        jobs: the scenes.
        settings: models and parameters; the device is the GPU where the cluster has some.
        workers: how many; a GPU each, or four CPU cores each, if None.
        attempts: how often a scene or a strip is tried.

    Yields:
        outcomes, in the order in which they come.

    Raises:
        ConfigError: if Ray is not installed.
    """
    try:
        # By name: Ray is an extra, and type checks must not depend on whether it is installed.
        ray: Any = import_module("ray")
    except ImportError as error:
        raise ConfigError(
            "Ray is not installed; install it with 'pip install sscl-geo[ray]', or choose another "
            "engine."
        ) from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    resources = ray.cluster_resources()
    gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
    if gpus and settings.device != "cpu":
        settings, count, gpu = replace(settings, device="cuda"), min(workers or gpus, gpus), 1
    else:
        settings, count, gpu = replace(settings, device="cpu"), workers or _workers(cpus), 0
    cores = max(1, cpus // count)
    remote = ray.remote(max_restarts=0, num_cpus=cores, num_gpus=gpu)(_Worker)
    waiting = deque((part, 1) for job in jobs for part in job.shares() or (job,))
    missing = Counter({job.out: len(job.shares()) for job in jobs})
    idle = [remote.remote(settings, cores) for _ in range(min(count, len(waiting)))]
    running: dict[Any, tuple[Any, Job, int, float]] = {}
    while waiting or running:
        while waiting and idle:
            worker, (job, attempt) = idle.pop(), waiting.popleft()
            started = worker.attempt.remote(job)
            running[started] = worker, job, attempt, time.perf_counter()
        finished, _ = ray.wait(list(running), num_returns=1)
        worker, job, attempt, start = running.pop(finished[0])
        try:
            outcome = ray.get(finished[0])
            idle.append(worker)
        except ray.exceptions.RayError as error:
            reason = f"The worker was lost: {' '.join(str(error).split())}"
            seconds = round(time.perf_counter() - start, 2)
            outcome = Outcome(job.scene, "failed", seconds, str(job.output), reason)
            # A new one, which waits for its share of the cluster: Ray's own restarts answer with
            # errors until they are through.
            ray.kill(worker)
            idle.append(remote.remote(settings, cores))
        if outcome.status == "failed" and attempt < attempts:
            waiting.append((job, attempt + 1))
            continue
        if job.strip is None or job in jobs:
            yield outcome
            continue
        # What a strip could not do is tried again by the worker that makes the map, and told.
        missing[job.out] -= 1
        if not missing[job.out]:
            waiting.append((replace(job, strip=None), 1))


def _workers(cpus: int) -> int:
    return max(1, cpus // _CPUS_A_WORKER)


class _Worker:
    """An actor: one process with the network in its memory."""

    def __init__(self, settings: Settings, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._segmenter = SceneSegmenter(settings)

    def attempt(self, job: Job) -> Outcome:
        return self._segmenter.attempt(job)
