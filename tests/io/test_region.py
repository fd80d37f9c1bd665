"""The part of the ground that may be looked at, on any grid."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import shapely.affinity
from affine import Affine
from odc.geo.geobox import GeoBox

from sscl_geo.errors import LabelError
from sscl_geo.io.region import Region

GRID = GeoBox(
    (40, 50), Affine.translation(300_000, 4_100_000) * Affine.scale(10, -10), "EPSG:32612"
)
TURNED = GeoBox(
    (40, 50),
    Affine.translation(300_050, 4_099_900) * Affine.rotation(30) * Affine.scale(7, -9),
    "EPSG:32612",
)


def blocks(*boxes: tuple[str, float, float, float, float]) -> gpd.GeoDataFrame:
    """Boxes with a part, in metres from the corner of the grid."""
    shapes = [
        shapely.box(3e5 + x0, 4.1e6 - y1, 3e5 + x1, 4.1e6 - y0) for _, x0, y0, x1, y1 in boxes
    ]
    return gpd.GeoDataFrame({"part": [box[0] for box in boxes]}, geometry=shapes, crs="EPSG:32612")


def centres(geobox: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    row, col = np.mgrid[: geobox.shape[0], : geobox.shape[1]] + 0.5
    return geobox.affine * (col, row)


@pytest.mark.parametrize("geobox", [GRID, TURNED, GRID[7:8, 9:10], GRID[5:30, 11:29]])
def test_a_mask_has_the_pixels_whose_centre_a_block_of_the_part_holds(geobox):
    found = blocks(
        ("train", 0, 0, 173, 188), ("test", 173, 0, 500, 188), ("train", 211, 241, 477, 359)
    )
    x, y = centres(geobox)
    held = [shapely.contains_xy(shape, x, y) for shape in found.geometry]
    assert np.array_equal(Region(found, "train").mask(geobox), held[0] | held[2])


def test_the_later_of_overlapping_blocks_has_the_pixel():
    found = blocks(("train", 0, 0, 500, 400), ("test", 100, 100, 200, 200))
    train, test = (Region(found, part).mask(GRID) for part in ("train", "test"))
    assert np.array_equal(train, ~test)
    assert test.sum() == 100


def test_a_grid_beside_all_blocks_has_none():
    region = Region(blocks(("train", 5000, 0, 6000, 400)), "train")
    assert not region.mask(GRID).any()


def test_blocks_are_carried_into_another_crs():
    found = blocks(("train", 0, 0, 173, 188), ("test", 173, 0, 500, 188))
    expected = Region(found, "train").mask(GRID)
    assert np.array_equal(Region(found.to_crs("EPSG:4326"), "train").mask(GRID), expected)


def test_a_block_outside_the_projection_hides_no_other():
    found = blocks(("train", 0, 0, 500, 400)).to_crs("EPSG:4326")
    far = gpd.GeoDataFrame({"part": ["test"]}, geometry=[shapely.box(66, -95, 70, -91)], crs=4326)
    both = pd.concat([found, far], ignore_index=True)
    assert Region(both, "train").mask(GRID).all()


def test_a_part_without_blocks_is_refused_with_those_there_are():
    with pytest.raises(LabelError, match=r"'val'; there is train, test"):
        Region(blocks(("train", 0, 0, 9, 9), ("test", 9, 0, 18, 9)), "val")


@pytest.mark.parametrize(
    ("west", "crs"),
    [
        (west, crs)
        for west, zone in ((170.3, "EPSG:32601"), (-190.2, "EPSG:32760"), (235.1, "EPSG:32611"))
        for crs in ("EPSG:4326", "EPSG:3857", zone)
    ],
)
def test_degrees_may_go_on_beyond_the_antimeridian(west: float, crs: str) -> None:
    grid = GeoBox((40, 50), Affine(0.4, 0, west, 0, -0.4, 60), "EPSG:4326")
    shape = shapely.segmentize(shapely.box(west + 5.74, 46.11, west + 15.94, 57.39), 0.05)
    # As files have them: from -180 to 180 degrees.
    parts = [
        shapely.affinity.translate(
            shapely.intersection(shape, shapely.box(180 * turn - 180, -90, 180 * turn + 180, 90)),
            -180 * turn,
        )
        for turn in (-2, 0, 2)
    ]
    whole = gpd.GeoSeries([shapely.union_all(parts)], crs="EPSG:4326").to_crs(crs)
    found = gpd.GeoDataFrame({"part": ["train"]}, geometry=whole)
    assert np.array_equal(
        Region(found, "train").mask(grid), shapely.contains_xy(shape, *centres(grid))
    )
