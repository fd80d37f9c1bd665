"""GDAL's command line on a map: what gdalinfo, gdal_polygonize.py and gdalwarp make of it."""

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyogrio
import rasterio

NEEDS = ("gdalinfo", "gdal_polygonize.py", "gdalwarp")
PACKAGES = "gdal-bin python3-gdal"


def check(map_path: Path, scratch: Path) -> Iterator[str]:
    """Yield what was found, a line each; raise AssertionError where it is not as it should be."""
    yield _run("gdalinfo", "--version").strip()
    told = json.loads(_run("gdalinfo", "-json", str(map_path)))
    band = told["bands"][0]
    with rasterio.open(map_path) as source:
        values, height, width = source.read(1), source.height, source.width
    table = pd.read_csv(map_path.with_suffix(".areas.csv"))
    expected = dict(zip(table["value"].tolist(), table["name"], strict=True))
    names = dict(enumerate(_categories(map_path)))
    _expect({v: names[v] for v in expected} == expected, "names")
    yield f"gdalinfo: categories {[names[v] for v in sorted(expected)]}"
    colors = band["colorTable"]["entries"]
    found = {v: "#{:02x}{:02x}{:02x}".format(*colors[v][:3]) for v in expected}
    _expect(list(found.values()) == table["color"].tolist(), "colours")
    yield f"gdalinfo: colours {found}"
    _expect(band["noDataValue"] == 255, "nodata")
    _expect(told["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"] == "COG", "COG")
    yield f"gdalinfo: nodata 255, COG, overviews {[o['size'] for o in band['overviews']]}"

    regions = scratch / "regions.gpkg"
    _run("gdal_polygonize.py", "-q", str(map_path), "-f", "GPKG", str(regions), "regions", "value")
    theirs = Counter(pyogrio.read_dataframe(regions, read_geometry=False)["value"].tolist())
    ours = Counter(
        pyogrio.read_dataframe(map_path.with_suffix(".gpkg"), read_geometry=False)["value"].tolist()
    )
    theirs.pop(255, None)
    _expect(theirs == ours, "polygons")
    yield f"gdal_polygonize.py: {sum(theirs.values())} polygons, as many of each class as in ours"

    warped = scratch / "warped.tif"
    _run("gdalwarp", "-q", "-t_srs", "EPSG:3857", "-r", "near", str(map_path), str(warped))
    with rasterio.open(warped) as source:
        there = set(np.unique(source.read(1)).tolist())
        _expect(source.nodata == 255, "nodata after warping")
        _expect(source.colormap(1)[7][:3] == (34, 139, 34), "colours after warping")
    _expect(there <= set(np.unique(values).tolist()) | {255}, "values after warping")
    yield f"gdalwarp to EPSG:3857: values {sorted(there)}, nodata and colour table kept"
    yield f"map of {width} x {height} pixels: all as it should be"


def missing() -> list[str]:
    """Programs that are not installed."""
    return [name for name in NEEDS if shutil.which(name) is None]


def _categories(map_path: Path) -> list[str]:
    """Category names as gdalinfo prints them, which its JSON leaves out."""
    lines = _run("gdalinfo", str(map_path)).splitlines()
    start = lines.index("  Categories:") + 1
    found: list[str] = []
    for line in lines[start:]:
        number, colon, name = line.strip().partition(":")
        if not colon or not number.isdigit() or not line.startswith("    "):
            break
        found.append(name.strip())
    return found


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout  # noqa: S603


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise AssertionError(f"GDAL sees other {what}")
