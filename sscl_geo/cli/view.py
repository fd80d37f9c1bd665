"""``sscl-geo view``: a map as one web page."""

from pathlib import Path


def view(
    map: Path,  # noqa: A002 - it is the argument's name on the command line
    *,
    scene: Path | None = None,
    out: Path | None = None,
    max_side: int = 4096,
) -> Path:
    """Show a map in a web page that needs no network: one file to open, to mail or to publish.

    Args:
        map: class raster, as 'segment' writes.
        scene: raster to show below the map, in any CRS.
        out: page to write; NAME.html beside the map if not given.
        max_side: longest side of the picture in pixels; larger maps are shown smaller.

    Returns:
        the page.
    """
    from rich.console import Console

    from sscl_geo.io.scene import open_scene
    from sscl_geo.maps.products.finished import open_map
    from sscl_geo.report.map_page import write_map_page

    below = None if scene is None else open_scene(scene)
    page = write_map_page(
        open_map(map), map.with_suffix(".html") if out is None else out, below, max_side
    )
    console = Console(soft_wrap=True, highlight=False)
    console.print("page", page, markup=False)
    return page
