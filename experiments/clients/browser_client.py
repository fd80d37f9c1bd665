"""Chromium on the web page of a map: what it shows, what it loads, how one moves in it."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from experiments.clients.webdriver import CHROMIUM, DRIVER, Browser

PACKAGES = "chromium chromium-driver"

_COLORS = """
const c = document.querySelector('canvas');
const data = new Uint32Array(
  c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer);
const found = new Map();
for (const v of data) found.set(v, (found.get(v) ?? 0) + 1);
return [...found].filter(([v, n]) => v >>> 24 === 255 && n > data.length / 2000)
  .map(([v]) => '#' + [v, v >> 8, v >> 16].map(
    (b) => (b & 255).toString(16).padStart(2, '0')).join(''));
"""


def check(map_path: Path, scratch: Path) -> Iterator[str]:
    """Yield what was found, a line each; raise AssertionError where it is not as it should be."""
    from sscl_geo.maps.products.finished import open_map
    from sscl_geo.report.map_page import write_map_page

    table = pd.read_csv(map_path.with_suffix(".areas.csv"))
    bare = write_map_page(open_map(map_path), scratch / "bare.html")
    with Browser() as browser:
        yield f"Chromium {browser.version()}"
        browser.open(bare.as_uri())
        browser.wait("document.body.dataset.ready")
        browser.run("zoomBy(8)")
        colors = set(browser.run(_COLORS))
        _expect(bool(colors) and colors <= set(table["color"]), f"colours, {colors}")
        yield f"page without scene, zoomed in: {sorted(colors)}, all of them colours of classes"

        browser.open(map_path.with_suffix(".html").as_uri())
        browser.wait("document.body.dataset.ready")
        rows = browser.run(
            "return [...document.querySelectorAll('tbody tr')].map(r => r.innerText.trim())"
        )
        _expect(len(rows) == len(table), f"legend, {rows}")
        _expect(
            all(name in row for name, row in zip(table["name"], rows, strict=True)),
            f"names, {rows}",
        )
        yield f"legend: {[' | '.join(part.strip() for part in row.split('\t')) for row in rows]}"
        loaded = browser.run("return performance.getEntriesByType('resource').map(e => e.name)")
        outside = [name for name in loaded if not name.startswith("data:")]
        _expect(outside == [], f"resources, {outside}")
        complaints = browser.complaints()
        _expect(complaints == [], f"console, {complaints}")
        yield "nothing loaded from outside the page, no error in the console"
        browser.screenshot(scratch / "page.png")
        size = map_path.with_suffix(".html").stat().st_size
    yield f"page with the scene below: {size / 1e6:.1f} MB in one file"


def missing() -> list[str]:
    """Programs that are not installed."""
    return [name for name, at in (("chromium", CHROMIUM), ("chromedriver", DRIVER)) if at is None]


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise AssertionError(f"Chromium shows other {what}")
