import time

import numpy as np
import pytest

from sscl_geo.demo.stages import Stages


def test_stages_are_timed_in_order():
    stages = Stages()
    with stages.stage("first"):
        time.sleep(0.02)
    with stages.stage("second"):
        pass
    frame = stages.frame()
    assert list(frame.columns) == ["stage", "seconds", "peak_rss_mb"]
    assert list(frame["stage"]) == ["first", "second"]
    assert frame["seconds"][0] >= 0.02 > frame["seconds"][1]


def test_a_stage_that_needs_memory_shows_it():
    stages = Stages()
    with stages.stage("small"):
        pass
    with stages.stage("large"):
        np.ones(200_000_000, dtype=np.uint8).sum()
    small, large = stages.frame()["peak_rss_mb"]
    assert large > small + 150


def test_a_stage_that_fails_is_not_logged():
    stages = Stages()
    with pytest.raises(ZeroDivisionError), stages.stage("fails"):
        _ = 1 / 0
    assert stages.log == []
