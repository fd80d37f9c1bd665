import pytest

from sscl_geo.errors import ConfigError
from sscl_geo.maps.tiles import TilePlan


def test_rows_and_columns_follow_the_shape_of_the_scene():
    plan = TilePlan((1000, 700), tile=256, margin=16, overlap=0.25, stride=32)
    assert (plan.rows.size, plan.cols.size) == (1000, 700)
    assert len(plan) == len(plan.rows) * len(plan.cols) == 30


def test_real_strided_networks_see_the_same_phase_whatever_the_tile():
    plans = [TilePlan((500, 500), tile, 16, 0.25, 32) for tile in (128, 192, 256, 544)]
    assert {start % 32 for plan in plans for start in plan.rows.starts} == {0}


def test_wrong_numbers_are_refused_when_the_plan_is_made():
    with pytest.raises(ConfigError):
        TilePlan((10, 10), tile=50, stride=32)
