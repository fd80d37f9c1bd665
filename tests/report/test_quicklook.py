from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from sscl_geo.classes import NODATA, ClassTable, LandCoverClass
from sscl_geo.maps.products.finished import open_map
from sscl_geo.report.north_up import north_up_grid, read_on
from sscl_geo.report.quicklook import draw_quicklook

TABLE = ClassTable(
    (
        LandCoverClass(9, "Wälder $x_1 <b> 水", (255, 0, 0)),
        LandCoverClass(1, "water", (0, 0, 255)),
        LandCoverClass(4, "never seen", (0, 255, 0)),
    )
)


@pytest.mark.parametrize("grid", ["utm", "south_up", "rotated", "non_square", "geographic"])
def test_the_picture_has_the_colors_of_the_classes_that_occur(make_map, grid):
    values = np.full((60, 80), 9)
    values[:, 40:] = 1
    picture = Image.open(BytesIO(draw_quicklook(open_map(make_map(values, TABLE, grid=grid)), 300)))
    colors = {color for _, color in picture.convert("RGB").getcolors(1_000_000)}
    assert {(255, 0, 0), (0, 0, 255)} <= colors
    assert (0, 255, 0) not in colors


@pytest.mark.parametrize("warp", [False, True])
@pytest.mark.parametrize("grid", ["utm", "south_up", "non_square"])
def test_pixels_are_those_of_the_map(make_map, grid, warp, monkeypatch):
    from rasterio.enums import Resampling

    if warp:  # the slow way, which rotated maps and other grids need
        monkeypatch.setattr("sscl_geo.report.north_up._steps", lambda *_: None)
    values = np.random.default_rng(0).choice([1, 9, NODATA], (31, 47))
    found = open_map(make_map(values, TABLE, grid=grid))
    seen = read_on(found.path, north_up_grid(found.geobox, 1000), [1], Resampling.mode)[0]
    expected = values[::-1] if grid == "south_up" else values
    np.testing.assert_array_equal(seen.filled(NODATA), expected)


def test_a_rotated_map_is_turned_north_up(make_map):
    from rasterio.enums import Resampling

    found = open_map(make_map(np.full((40, 60), 9), TABLE, grid="rotated"))
    grid = north_up_grid(found.geobox, 1000)
    seen = read_on(found.path, grid, [1], Resampling.mode)[0]
    assert grid.affine.b == grid.affine.d == 0
    ground = (seen.filled(NODATA) == 9).sum() * grid.affine.a * -grid.affine.e
    assert ground == pytest.approx(40 * 60 * abs(found.geobox.affine.determinant), rel=0.05)
