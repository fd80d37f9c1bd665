"""Dates in names, against what the products' name conventions say."""

import os
import time
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from sscl_geo.errors import ConfigError
from sscl_geo.io.dates import DatePattern, covered_time, date_in_name, time_range

DAY = datetime(2020, 5, 18, tzinfo=UTC)
NAMES = {
    "naip_m_4709963_se_14_1_20180716.tif": datetime(2018, 7, 16, tzinfo=UTC),
    "m_4709963_se_14_060_20180716_20190210.tif": datetime(2018, 7, 16, tzinfo=UTC),
    "LC08_L2SP_039034_20200518_20200820_02_T1_SR_B4.TIF": DAY,
    "LC80390342020139LGN00_B4.TIF": DAY,
    "T12SUG_20200518T181921_B04_10m.jp2": DAY.replace(hour=18, minute=19, second=21),
    "S2A_MSIL2A_20200518T181921_N0214_R127_T12SUG_20200519T222333.SAFE": DAY.replace(
        hour=18, minute=19, second=21
    ),
    "S2A_OPER_PRD_MSIL1C_PDMC_20160605T1_R127_V20160528T181919_20160528T181919.tif": datetime(
        2016, 5, 28, 18, 19, 19, tzinfo=UTC
    ),
    "S2A_OPER_MSI_L1C_TL_SGS__20160528T235200_A004869_T12SUG_B04.jp2": None,
    "20200518_181921_1032_3B_AnalyticMS.tif": DAY.replace(hour=18, minute=19, second=21),
    "HLS.S30.T12SUG.2020139T181921.v2.0.B04.tif": DAY.replace(hour=18, minute=19, second=21),
    "MOD09GA.A2020139.h08v05.006.2020141040102.hdf": DAY,
    "field 2020-05-18.tif": DAY,
    "mosaic_2020_05_18_v2.tif": DAY,
    "https://host/a/20200518.tif?date=20190101": DAY,
    "https://host/20190101/a.tif": None,
    'NETCDF:"air_20200518.nc":ndvi': DAY,
    "scene_20201318.tif": None,
    "scene_20200231.tif": None,
    "tile_120200518.tif": None,
    "scene.tif": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_the_date_of_usual_names_is_found(name: str) -> None:
    assert date_in_name(name) == NAMES[name]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_the_machines_time_zone_does_not_matter(monkeypatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert date_in_name("a_20200518.tif") == DAY
        assert time_range("2020-05-18", None)[0] == DAY
        assert time_range(datetime(2020, 5, 18), None)[0] == DAY  # noqa: DTZ001 - naive on purpose
    finally:
        os.environ.pop("TZ", None)
        monkeypatch.undo()
        time.tzset()


def test_a_pattern_may_look_at_folders() -> None:
    pattern = DatePattern(r"/(?P<date>\d{4}-\d\d)/", "%Y-%m")
    assert pattern.find("/data/2020-05/a.tif") == datetime(2020, 5, 1, tzinfo=UTC)
    assert pattern.find("/data/a.tif") is None


def test_a_pattern_with_a_zone_is_turned_to_utc() -> None:
    pattern = DatePattern(r"(?P<date>\d{12}[+-]\d{4})", "%Y%m%d%H%M%z")
    assert pattern.find("202005180130+0200.tif") == datetime(2020, 5, 17, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize("regex", [r"(\d{8})", r"(?P<date>\d{8}"])
def test_a_pattern_without_a_date_group_is_refused(regex: str) -> None:
    with pytest.raises(ConfigError, match="date pattern"):
        DatePattern(regex)


def test_midnight_stands_for_the_day_and_a_time_for_itself() -> None:
    assert covered_time(DAY) == (DAY, DAY + timedelta(hours=24, microseconds=-1))
    noon = DAY.replace(hour=12)
    assert covered_time(noon) == (noon, noon)


@pytest.mark.parametrize(
    ("value", "first", "last"),
    [
        ("2020", (2020, 1, 1), (2021, 1, 1)),
        ("2020-02", (2020, 2, 1), (2020, 3, 1)),
        ("2020-12", (2020, 12, 1), (2021, 1, 1)),
        ("2020-05-18", (2020, 5, 18), (2020, 5, 19)),
        (date(2020, 5, 18), (2020, 5, 18), (2020, 5, 19)),
    ],
)
def test_a_range_includes_the_whole_of_its_ends(value, first, last) -> None:
    start, end = time_range(value, value)
    assert start == datetime(*first, tzinfo=UTC)
    assert end == datetime(*last, tzinfo=UTC) - timedelta(microseconds=1)


def test_zones_are_obeyed() -> None:
    east = datetime(2020, 5, 18, 1, tzinfo=timezone(timedelta(hours=2)))
    expected = datetime(2020, 5, 17, 23, tzinfo=UTC)
    assert time_range(east, "2020-05-18T01:00+02:00") == (expected, expected)


@pytest.mark.parametrize("bad", ["yesterday", "2020-13", "18.05.2020", ""])
def test_what_is_no_date_is_one_sentence(bad: str) -> None:
    with pytest.raises(ConfigError, match="is no date"):
        time_range(bad, None)


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ConfigError, match="ends before it starts"):
        time_range("2020", "2019")
