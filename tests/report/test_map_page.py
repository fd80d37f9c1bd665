import json
import re

import numpy as np
import pytest
from affine import Affine

from sscl_geo.classes import NODATA, ClassTable, LandCoverClass
from sscl_geo.errors import OutputError
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.products.finished import open_map
from sscl_geo.report.map_page import render_map_page, write_map_page

EVIL = "</script><script>alert(1)</script><!-- & \"'"
TABLE = ClassTable((LandCoverClass(9, EVIL, (255, 0, 0)), LandCoverClass(1, "Wälder", (0, 0, 255))))


@pytest.fixture
def values():
    found = np.full((40, 60), 9)
    found[:, 30:] = 1
    found[:10] = NODATA
    return found


def data_of(page):
    return json.loads(re.search(r'id="map">(.*?)</script>', page, re.DOTALL).group(1))


def test_nothing_can_be_loaded_or_run_but_what_is_in_the_page(make_map, values):
    page = render_map_page(open_map(make_map(values, TABLE)))
    assert not re.search(r'(src|href)\s*=\s*["\']?(https?:)?//', page)
    assert "default-src 'none'" in page
    assert page.count("<script") == 2
    assert "alert(1)</script>" not in page


def test_the_legend_has_names_colors_and_areas(make_map, values):
    page = render_map_page(open_map(make_map(values, TABLE, tags={"SSCL_GEO_SCENE": "<x>"})))
    assert "Wälder" in page
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in page
    assert "background: #ff0000" in page
    assert "<td>81.0</td><td>50.0</td>" in page
    assert "&lt;x&gt;" in page
    assert [c["name"] for c in data_of(page)["classes"]] == [EVIL, "Wälder"]


def test_large_maps_are_shown_smaller_and_it_is_said(make_map, values):
    page = render_map_page(open_map(make_map(values, TABLE)), max_side=30)
    data = data_of(page)
    assert (data["width"], data["height"]) == (30, 20)
    assert (data["stepX"], data["stepY"]) == (60, 60)
    assert "shown at 1:2 of its pixels" in page


@pytest.mark.parametrize(
    ("grid", "aspect"), [("utm", 1), ("non_square", 2.5), ("geographic", 1.2556)]
)
def test_pixels_have_the_shape_that_they_have_on_the_ground(make_map, values, grid, aspect):
    data = data_of(render_map_page(open_map(make_map(values, TABLE, grid=grid))))
    assert data["aspect"] == pytest.approx(aspect, rel=2e-3)


def test_a_local_grid_has_no_scale(make_map, values):
    local = 'LOCAL_CS["site",UNIT["metre",1]]'
    page = render_map_page(open_map(make_map(values, TABLE, crs=local)))
    assert data_of(page)["metres"] is None
    assert "<td>50.0</td>" in page
    assert "nan" not in page.lower().partition("<script")[0]


def test_the_scene_lies_below_on_the_same_pixels(make_map, make_scene, values):
    scene = make_scene(np.random.default_rng(0).integers(1, 999, (4, 40, 60)).astype(np.uint16))
    page = render_map_page(open_map(make_map(values, TABLE)), open_scene(scene))
    assert data_of(page)["scene"].startswith("data:image/webp;base64,")


def test_a_scene_with_alpha_lies_below_a_map_on_another_grid(make_map, make_scene, values):
    pixels = np.random.default_rng(0).integers(1, 255, (4, 40, 60)).astype(np.uint8)
    scene = make_scene(pixels, photometric="RGB", alpha="YES")
    turned = open_map(make_map(values, TABLE, grid="rotated"))
    assert data_of(render_map_page(turned, open_scene(scene)))["scene"]


def test_an_unwritable_page_is_one_sentence(make_map, values, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        write_map_page(open_map(make_map(values, TABLE)), tmp_path / "file" / "map.html")


def test_rows_of_a_south_up_map_are_turned(make_map, values):
    transform = Affine(30, 0, 300_015, 0, 30, 4_000_025)
    data = data_of(render_map_page(open_map(make_map(values, TABLE, transform=transform))))
    assert data["top"] == 4_000_025 + 40 * 30
    assert data["stepY"] == 30
