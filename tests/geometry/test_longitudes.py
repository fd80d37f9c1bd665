"""Longitudes beyond 180 degrees."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from sscl_geo.geometry.longitudes import cut_at_antimeridian, whole_turns

LONGITUDES = st.tuples(st.integers(-180, 180), st.integers(-180, 180)).map(sorted)
GRIDS = st.tuples(st.integers(-360, 360), st.integers(0, 400)).map(lambda r: (r[0], sum(r)))


@given(own=LONGITUDES, wanted=GRIDS)
def test_the_turns_are_those_after_which_the_ranges_meet(own, wanted) -> None:
    meeting = [
        360.0 * turn
        for turn in range(-5, 6)
        if own[0] + 360 * turn <= wanted[1] and own[1] + 360 * turn >= wanted[0]
    ]
    assert whole_turns(tuple(own), wanted) == meeting


@pytest.mark.parametrize("zone", ["EPSG:32601", "EPSG:32760", "EPSG:3832"])
def test_ground_across_the_antimeridian_keeps_its_area_and_place(zone: str) -> None:
    beyond = [shapely.box(179.5, -17, 180.5, -16), shapely.LineString([(179, -17), (181, -17)])]
    fine = shapely.segmentize(beyond, 0.01)
    there = gpd.GeoSeries(fine, crs="EPSG:4326").to_crs(zone)
    back = cut_at_antimeridian(there.to_crs("EPSG:4326").to_numpy())
    west, _, east, _ = shapely.bounds(back).T
    assert west == pytest.approx([-180, -180], abs=1e-9)
    assert east == pytest.approx([180, 180], abs=1e-9)
    assert shapely.area(back[0]) == pytest.approx(1, rel=1e-9)
    assert shapely.length(back[1]) == pytest.approx(2, rel=1e-9)
    assert shapely.contains_xy(back[0], [179.7, -179.7, 0], [-16.5] * 3).tolist() == [True] * 2 + [
        False
    ]


def test_what_does_not_cross_is_left_as_it_is() -> None:
    kept = np.array(
        [
            shapely.box(10, 0, 20, 5),
            shapely.Point(),
            shapely.Point(180, 0),
            shapely.MultiPoint([(-180, 0), (180, 0)]),
        ]
    )
    assert shapely.equals_exact(cut_at_antimeridian(kept), kept).all()
