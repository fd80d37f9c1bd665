"""Headers of scenes that were opened before, so that a run over thousands starts at once."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from sscl_geo.geometry.grid import grid_shape, grid_wkt
from sscl_geo.io.cloud_mask import CloudMask, CloudMaskBand
from sscl_geo.io.dates import DatePattern
from sscl_geo.io.fingerprint import file_state
from sscl_geo.io.scene import Scene, open_scene
from sscl_geo.io.user_cache import recall, remember

_FORMAT = 2
_WORTH_KEEPING = 16
"""Fewer headers are read as fast as they are looked up."""


class Headers:
    """Opens scenes, from what is kept in the user's cache folder where their files did not change.

    A header counts as long as the scene's file, its side-cars (``.msk``, ``.aux.xml``) and the file
    of its cloud mask keep their sizes and times. Virtual rasters and scenes on a server are always
    opened, since what they depend on does not show from outside. What is kept belongs to the paths
    that the user gave: when scenes are added to a folder, only these are opened.

    For several threads at once.

    Args:
        given: files, folders and patterns that the user asked for.
        pattern: where dates are found, as in :func:`~sscl_geo.io.scene.open_scene`.
        clouds: which pixels are cloudy.
    """

    def __init__(
        self, given: Sequence[str], pattern: DatePattern | None, clouds: CloudMask | None
    ) -> None:
        self._pattern = pattern
        self._clouds = clouds
        self._key = [_FORMAT, [str(Path(p).absolute()) for p in given], repr((pattern, clouds))]
        kept = recall("headers", self._key)
        self._kept: dict[str, Any] = kept if isinstance(kept, dict) else {}
        self._seen: dict[str, Any] = {}

    def open(self, path: str) -> Scene:
        """Open one scene.

        Raises:
            SceneError: as :func:`~sscl_geo.io.scene.open_scene` does.
        """
        state = self._state(path)
        try:
            entry = self._kept[path]
            if state is not None and entry["state"] == state:
                scene = _from_json(entry["scene"], self._clouds)
                self._seen[path] = entry
                return scene
        except (KeyError, TypeError, ValueError):
            pass  # nothing is kept of it, or something else
        scene = open_scene(path, date_pattern=self._pattern, clouds=self._clouds)
        if state is not None:
            self._seen[path] = {"state": state, "scene": _to_json(scene)}
        return scene

    def keep(self) -> None:
        """Keep the headers of the scenes that were opened, if they are many and some are new."""
        if len(self._seen) >= _WORTH_KEEPING and self._seen != self._kept:
            remember("headers", self._key, self._seen)

    def _state(self, path: str) -> list[object] | None:
        """What shows whether a header may have changed; None if nothing does."""
        mask = None if self._clouds is None else self._clouds.path_for(path)
        names = [path, f"{path}.msk", f"{path}.aux.xml", *([] if mask is None else [mask])]
        states = [file_state(name) for name in names]
        if states[0] is None or any(name.lower().endswith(".vrt") for name in names):
            return None
        return [None if state is None else list(state) for state in states]


def _to_json(scene: Scene) -> dict[str, Any]:
    clouds = scene.clouds
    return {field.name: getattr(scene, field.name) for field in fields(scene)} | {
        "geobox": _grid_to_json(scene.geobox),
        "date": None if scene.date is None else scene.date.isoformat(),
        "clouds": None
        if clouds is None
        else {"path": clouds.path, "index": clouds.index, "geobox": _grid_to_json(clouds.geobox)},
    }


def _from_json(found: dict[str, Any], rule: CloudMask | None) -> Scene:
    clouds, date = found["clouds"], found["date"]
    mask = None
    if clouds is not None and rule is not None:
        grid = _grid_from_json(clouds["geobox"])
        mask = CloudMaskBand(clouds["path"], clouds["index"], grid, rule)
    values: dict[str, Any] = found | {
        "geobox": _grid_from_json(found["geobox"]),
        "date": None if date is None else datetime.fromisoformat(date),
        "clouds": mask,
    }
    for name in ("bands", "indexes", "nodata", "block_shape", "scale", "offset"):
        values[name] = tuple(found[name])
    return Scene(**values)


def _grid_to_json(geobox: GeoBox) -> list[object]:
    return [grid_shape(geobox), list(geobox.affine[:6]), grid_wkt(geobox)]


def _grid_from_json(found: list[Any]) -> GeoBox:
    shape, transform, wkt = found
    return GeoBox(tuple(shape), Affine(*transform), CRS(wkt))
