"""QGIS on a map, headless: legend with and without the style, rendering, polygons."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyogrio

NEEDS = ("qgis",)
PACKAGES = "qgis python3-qgis"
_PYTHON = "/usr/bin/python3"


def check(map_path: Path, scratch: Path) -> Iterator[str]:
    """Yield what was found, a line each; raise AssertionError where it is not as it should be."""
    plain = scratch / "plain.tif"
    shutil.copy(map_path, plain)
    shutil.copy(map_path.with_name(f"{map_path.name}.aux.xml"), f"{plain}.aux.xml")
    polygons = map_path.with_suffix(".gpkg")
    session = Path(__file__).with_name("qgis_session.py")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    environment |= {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(scratch)}
    told = subprocess.run(  # noqa: S603 - our own script
        [_PYTHON, str(session), str(map_path), str(polygons), str(plain)],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout
    found = json.loads(told.splitlines()[-1])
    table = pd.read_csv(map_path.with_suffix(".areas.csv"))
    expected = table[["value", "name", "color"]].to_numpy().tolist()
    yield f"QGIS {found['version']}"
    _expect(found["valid"] == [True, True, True], "layers that load", found["valid"])
    _expect(found["styled"] == {"type": "paletted", "classes": expected}, "legend", found["styled"])
    yield f"map.tif: paletted by map.qml, in the order of the class table: {expected}"
    shown = {c[0]: c[1:] for c in found["plain"].get("classes", [])}
    _expect(found["plain"]["type"] == "paletted", "renderer without style", found["plain"])
    named = {value: [name, color] for value, name, color in expected}
    _expect({v: shown.get(v) for v in named} == named, "legend without style", found["plain"])
    yield "without map.qml: paletted from the file itself, same names and colours"
    _expect(found["nodata"] == 255, "nodata", found["nodata"])
    colors = set(found["rendered"]) - {"#ffffff"}
    seen = set(table.loc[table["percent"] > 0.1, "color"])
    _expect(seen <= colors <= set(table["color"]), "colours rendered", found["rendered"])
    yield f"rendered: {found['rendered']}"
    _expect(found["region_value"] == found["identified"], "value below a polygon", found)
    count = pyogrio.read_info(polygons, layer="classes")["features"]
    _expect(found["regions"] == count, "number of polygons", found["regions"])
    yield f"map.gpkg: {count} polygons with {found['fields']}; {found['crs']}"


def missing() -> list[str]:
    """Programs that are not installed."""
    return [name for name in NEEDS if shutil.which(name) is None]


def _expect(condition: bool, what: str, found: object) -> None:
    if not condition:
        raise AssertionError(f"QGIS has another {what}: {found}")
