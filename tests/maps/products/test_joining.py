import numpy as np
import pytest
import shapely
from rasterio.features import shapes

from sscl_geo.classes import NODATA
from sscl_geo.maps.products.joining import Cut, RegionJoiner
from sscl_geo.maps.products.regions import Regions, trace_regions


def joined(values, step, percent=None):
    """Regions of a raster traced in strips of so many rows."""
    height, width = values.shape
    joiner = RegionJoiner()

    def goes_on(row):
        if not 0 < row < height:
            return np.zeros(width, np.bool_)
        return (values[row - 1] == values[row]) & (values[row] != NODATA)

    found = []
    for top in range(0, height, step):
        bottom = min(top + step, height)
        part = None if percent is None else percent[top:bottom]
        pieces = trace_regions(values[top:bottom], top, part)
        found.append(joiner.add(pieces, Cut(top, bottom, goes_on(top), goes_on(bottom))))
    return Regions.together(found)


def of_the_whole(values):
    """What GDAL makes of the whole raster: outlines in a standard form, with the classes."""
    traced = [
        (shapely.Polygon(geometry["coordinates"][0], geometry["coordinates"][1:]), int(value))
        for geometry, value in shapes(values, values != NODATA, connectivity=4)
    ]
    return sorted((shapely.normalize(polygon).wkb_hex, value) for polygon, value in traced)


def standard(regions):
    polygons = shapely.normalize(regions.polygons)
    return sorted(
        (polygon.wkb_hex, value)
        for polygon, value in zip(polygons, regions.class_values.tolist(), strict=True)
    )


@pytest.mark.parametrize("step", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(12))
def test_strips_give_the_polygons_of_the_whole_vertex_by_vertex(seed, step):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(4, 24, 2)
    values = rng.choice(np.array([1, 2, NODATA][: 2 + seed % 2], np.uint8), (height, width))
    if seed % 3 == 0:
        values = values.repeat(2, 0).repeat(3, 1)
    regions = joined(values, step)
    assert shapely.is_valid(regions.polygons).all()
    assert standard(regions) == of_the_whole(values)


DRAWINGS = {
    "holes that touch each other and the outline": """
        ########
        #.##.###
        ##..#.##
        #.##.###
        .#######
        ########""",
    "a spiral": """
        ########
        .......#
        ######.#
        #....#.#
        #.##.#.#
        #.#..#.#
        #.####.#
        #......#
        ########""",
    "a comb whose teeth meet at the bottom": """
        #.#.#.#
        #.#.#.#
        #.#.#.#
        #######""",
    "rings in rings": """
        #########
        #.......#
        #.#####.#
        #.#...#.#
        #.#.#.#.#
        #.#...#.#
        #.#####.#
        #.......#
        #########""",
}


@pytest.mark.parametrize("step", [1, 2, 4])
@pytest.mark.parametrize("drawing", DRAWINGS.values(), ids=DRAWINGS)
def test_shapes_that_are_hard_to_join(drawing, step):
    values = np.array([[letter == "#" for letter in row] for row in drawing.split()], np.uint8)
    assert standard(joined(values, step)) == of_the_whole(values)


def test_confidence_is_summed_over_the_whole_region():
    rng = np.random.default_rng(1)
    values = rng.choice(np.array([1, NODATA], np.uint8), (30, 20), p=[0.7, 0.3])
    percent = rng.integers(0, 101, values.shape).astype(np.uint8)
    percent[rng.random(values.shape) < 0.1] = NODATA
    regions = joined(values, 4, percent)
    known = (values != NODATA) & (percent != NODATA)
    assert regions.pixels.sum() == known.sum()
    assert regions.total.sum() == percent[known].sum()
    largest = int(np.argmax(shapely.area(regions.polygons)))
    row, col = np.mgrid[:30, :20] + 0.5
    own = known & shapely.contains_xy(regions.polygons[largest], col, row)
    assert regions.pixels[largest] == own.sum()
    assert regions.confidence[largest] == pytest.approx(percent[own].mean())


def test_only_what_goes_on_is_kept():
    joiner, width = RegionJoiner(), 6
    none, one = np.zeros(width, np.bool_), np.eye(1, width, 2, dtype=np.bool_)[0]
    values = np.array([[1, 1, 2, 3, 3, 3]], np.uint8)
    found = joiner.add(trace_regions(values), Cut(0, 1, none, one))
    assert found.class_values.tolist() == [1, 3]
    assert len(joiner._open) == 1
