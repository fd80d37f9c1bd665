"""A local Ray cluster of two workers, one of which is killed midway."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sscl_geo.batch.jobs import Job, SceneSegmenter, Settings
from sscl_geo.bundle import save_bundle
from sscl_geo.models.segmenters import build_segmenter

ray = pytest.importorskip("ray")
from sscl_geo.batch.ray_engine import segment_with_ray  # noqa: E402 - ray must be there

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(num_cpus=2, num_gpus=0, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def settings(make_bundle, tmp_path):
    torch.manual_seed(0)
    bundle = make_bundle(
        mean=(50.0, 50.0),
        std=(25.0, 25.0),
        state_dict=build_segmenter("unet", "resnet18", 2, 2).state_dict(),
    )
    model = save_bundle(bundle, tmp_path / "model.safetensors")
    return Settings((model,), options={"tile": 128, "margin": 16, "layers": ("confidence",)})


@pytest.fixture
def scenes(make_scene):
    generator = np.random.default_rng(0)
    pixels = generator.integers(1, 100, (2, 1200, 200)).astype(np.uint8)
    return [str(make_scene(pixels + i, f"s{i}.tif")) for i in range(4)]


def writer_of(raster):
    """Process that has a file open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) == str(raster):
                return int(link.parts[2])
        except OSError:
            continue
    return None


def kill_once_rows_are_finished(folder, killed, over):
    """Kill the first worker that has noted finished rows, unless all is over before."""
    while not over.is_set():
        for journal in folder.glob("*.partial/journal.json"):
            process = writer_of(journal.with_name("classes.raw"))
            if process is not None:
                os.kill(process, signal.SIGKILL)
                killed.append(process)
                return
        time.sleep(0.01)


def test_a_killed_worker_is_replaced_and_the_files_are_those_of_one_process(
    settings, scenes, tmp_path
):
    one, many, killed, over = tmp_path / "one", tmp_path / "many", [], threading.Event()
    segmenter = SceneSegmenter(settings)
    for scene in scenes:
        segmenter.segment(Job(scene, one / f"{Path(scene).stem}.tif"))
    killer = threading.Thread(target=kill_once_rows_are_finished, args=(many, killed, over))
    killer.start()
    jobs = [Job(scene, many / f"{Path(scene).stem}.tif") for scene in scenes]
    try:
        outcomes = list(segment_with_ray(jobs, settings, workers=2))
    finally:
        over.set()
    killer.join()
    assert len(killed) == 1
    assert sorted(o.scene for o in outcomes) == sorted(scenes)
    assert {o.status for o in outcomes} == {"done"}
    assert sorted(p.name for p in many.iterdir()) == sorted(p.name for p in one.iterdir())
    for path in one.iterdir():
        assert path.read_bytes() == (many / path.name).read_bytes()


def test_strips_of_a_scene_on_several_workers_give_the_files_of_one_process(
    settings, scenes, tmp_path
):
    # Networks round by how many tiles they see at once, and strips have other last batches.
    settings = replace(settings, options={**settings.options, "batch_size": 1})
    one, many = tmp_path / "one", tmp_path / "many"
    SceneSegmenter(settings).segment(Job(scenes[0], one / "map.tif"))
    (outcome,) = segment_with_ray([Job(scenes[0], many / "map.tif", strips=2)], settings, workers=2)
    assert outcome.status == "done"
    assert sorted(p.name for p in many.iterdir()) == sorted(p.name for p in one.iterdir())
    for path in one.iterdir():
        assert path.read_bytes() == (many / path.name).read_bytes()


def test_a_scene_that_fails_every_time_is_given_up_with_the_reason(settings, scenes, tmp_path):
    jobs = [Job(scenes[0], tmp_path / "a.tif"), Job(str(tmp_path / "none.tif"), tmp_path / "b.tif")]
    outcomes = {o.scene: o for o in segment_with_ray(jobs, settings, workers=2)}
    assert outcomes[scenes[0]].status == "done"
    assert outcomes[jobs[1].scene].status == "failed"
    assert "There is no file" in outcomes[jobs[1].scene].error
