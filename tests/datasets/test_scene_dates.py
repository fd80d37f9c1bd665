"""Scenes of a time range."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from sscl_geo import SceneDataset
from sscl_geo.errors import ConfigError, SceneError, SkippedSceneWarning

DAYS = ("20090818", "20100629", "20180716")


@pytest.fixture
def series(make_scene):
    return [
        make_scene(np.full((1, 6, 6), i, np.uint8), f"naip_{d}.tif") for i, d in enumerate(DAYS)
    ]


def test_the_index_holds_the_days(series) -> None:
    dataset = SceneDataset(series)
    interval = dataset.index.index[0]
    assert interval.left == pd.Timestamp("2009-08-18")
    assert interval.right == pd.Timestamp("2009-08-18 23:59:59.999999")
    assert [s.date for s in dataset.scenes][2] == datetime(2018, 7, 16, tzinfo=UTC)


def test_a_slice_of_time_reads_the_scene_of_that_time(series) -> None:
    dataset = SceneDataset(series)
    x, y, _ = dataset.bounds
    time = slice(pd.Timestamp("2010-01-01"), pd.Timestamp("2011-01-01"))
    assert (dataset[x, y, time]["image"] == 1).all()


def test_a_scene_without_a_date_is_there_at_any_time(make_scene) -> None:
    other = make_scene(np.full((1, 6, 6), 9, np.uint8), "dated_20180716.tif")
    dataset = SceneDataset([other, make_scene(np.ones((1, 6, 6), np.uint8))])
    x, y, _ = dataset.bounds
    time = slice(pd.Timestamp("2010-01-01"), pd.Timestamp("2011-01-01"))
    assert (dataset[x, y, time]["image"] == 1).all()


@pytest.mark.parametrize(
    ("dates", "kept"),
    [
        (("2010", "2018-07-16"), [1, 2]),
        ((None, "2009"), [0]),
        ((date(2010, 6, 29), date(2010, 6, 29)), [1]),
        (("2018-07-16T12:00", None), [2]),
        ((None, None), [0, 1, 2]),
    ],
)
def test_only_scenes_of_the_range_are_used(series, dates, kept) -> None:
    dataset = SceneDataset(series, dates=dates)
    assert [s.path for s in dataset.scenes] == [str(series[i]) for i in kept]


def test_a_scene_without_a_date_is_left_out_of_a_range(series, make_scene) -> None:
    other = make_scene(np.ones((1, 6, 6), np.uint8), "undated.tif")
    with pytest.warns(SkippedSceneWarning, match=r"undated\.tif has no date"):
        dataset = SceneDataset([*series, other], dates=("2000", None))
    assert len(dataset.scenes) == 3


def test_a_range_without_scenes_says_what_there_is(series) -> None:
    with pytest.raises(SceneError, match="they date from 2009-08-18 to 2018-07-16"):
        SceneDataset(series, dates=("2020", None))


def test_dates_come_from_where_the_pattern_says(make_scene) -> None:
    path = make_scene(np.ones((1, 6, 6), np.uint8), "take19-7-16.tif")
    dataset = SceneDataset(path, date_pattern=r"take(?P<date>[\d-]+)", date_format="%y-%m-%d")
    assert dataset.scenes[0].date == datetime(2019, 7, 16, tzinfo=UTC)


def test_a_pattern_without_its_group_is_refused(series) -> None:
    with pytest.raises(ConfigError, match="no group named date"):
        SceneDataset(series, date_pattern=r"\d{8}")
