"""The page of a map in a real browser."""

import numpy as np
import pytest
from affine import Affine

from experiments.clients.webdriver import CHROMIUM, DRIVER, Browser
from sscl_geo.classes import NODATA, ClassTable, LandCoverClass
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.products.finished import open_map
from sscl_geo.report.map_page import write_map_page

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="needs chromium and chromium-driver"
)

EVIL = "</script><script>document.title='owned'</script>"
TABLE = ClassTable((LandCoverClass(9, EVIL, (255, 0, 0)), LandCoverClass(1, "Wälder", (0, 0, 255))))
PIXEL = """
const c = document.querySelector('canvas'), r = window.devicePixelRatio;
const x = view.x + arguments[0] * view.zoom, y = view.y + arguments[1] * view.zoom * map.aspect;
return [...c.getContext('2d').getImageData(Math.round(x * r), Math.round(y * r), 1, 1).data];
"""
POINT = """
const c = document.querySelector('canvas'), box = c.getBoundingClientRect();
c.dispatchEvent(new PointerEvent('pointermove', {
  clientX: box.left + view.x + arguments[0] * view.zoom,
  clientY: box.top + view.y + arguments[1] * view.zoom * map.aspect}));
return document.querySelector('.readout').textContent;
"""
RED, BLUE, CLEAR = [255, 0, 0, 255], [0, 0, 255, 255], [0, 0, 0, 0]


@pytest.fixture(scope="module")
def browser():
    with Browser() as opened:
        yield opened


@pytest.fixture
def show(browser, make_map, tmp_path):
    def open_page(scene=None, **options):
        values = np.full((40, 60), 9)
        values[:, 30:] = 1
        values[:10] = NODATA
        page = write_map_page(
            open_map(make_map(values, TABLE, **options)), tmp_path / "map.html", scene
        )
        browser.open(page.as_uri())
        browser.wait("document.body.dataset.ready")
        return browser

    return open_page


def test_classes_have_their_colors_and_nothing_is_loaded(show):
    page = show()
    assert page.run(PIXEL, 10, 20) == RED
    assert page.run(PIXEL, 50, 20) == BLUE
    assert page.run(PIXEL, 50, 5) == CLEAR
    assert page.run("return document.title") == "map"
    loaded = page.run("return performance.getEntriesByType('resource').map(e => e.name)")
    assert all(name.startswith("data:") for name in loaded)
    assert page.complaints() == []


def test_a_class_can_be_hidden_and_the_map_faded(show):
    page = show()
    page.run("document.querySelectorAll('aside input[type=checkbox]')[0].click()")
    assert page.run(PIXEL, 10, 20) == CLEAR
    assert page.run(PIXEL, 50, 20) == BLUE
    page.run(
        "const o = document.getElementById('opacity'); o.value = 50;"
        "o.dispatchEvent(new Event('input'));"
    )
    assert page.run(PIXEL, 50, 20)[3] == pytest.approx(128, abs=2)


@pytest.mark.parametrize(
    ("transform", "name", "place"),
    [
        (Affine(30, 0, 300_015, 0, -30, 4_100_025), "Wälder", "301515, 4099425"),
        (Affine(30, 0, 300_015, 0, 30, 4_000_025), "Wälder", "301515, 4000625"),
    ],
    ids=["north up", "south up"],
)
def test_class_and_coordinates_under_the_pointer_are_told(show, transform, name, place):
    page = show(transform=transform)
    assert page.run(POINT, 50, 20) == f"{name}\n{place}"
    assert page.run(POINT, 10, 20).startswith(EVIL)
    assert page.run(POINT, -3, 20) == ""


def test_zooming_keeps_the_place_under_the_pointer(show):
    page = show()
    before = page.run("return view.zoom")
    page.run(
        "const c = document.querySelector('canvas'), b = c.getBoundingClientRect();"
        "window.held = [(300 - view.x) / view.zoom, (200 - view.y) / view.zoom];"
        "c.dispatchEvent(new WheelEvent('wheel', {deltaY: -400, clientX: b.left + 300,"
        " clientY: b.top + 200, cancelable: true}));"
    )
    held = page.run("return [...held, (300 - view.x) / view.zoom, (200 - view.y) / view.zoom]")
    assert page.run("return view.zoom") > before
    assert held[:2] == pytest.approx(held[2:])
    page.run("document.querySelector('button[value=\"0\"]').click()")
    assert page.run("return view.zoom") == pytest.approx(before)


def test_the_scene_shows_through(show, make_scene):
    pixels = np.random.default_rng(0).integers(1, 250, (3, 40, 60)).astype(np.uint8)
    page = show(open_scene(make_scene(pixels)))
    assert page.run(PIXEL, 50, 5)[3] == 255  # no map there, but the scene
    assert page.run(PIXEL, 10, 20) != RED
    assert page.complaints() == []
