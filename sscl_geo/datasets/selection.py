"""Which of many scenes to use."""

import warnings
from collections.abc import Sequence
from itertools import compress

import numpy as np
import pyproj
import shapely

from sscl_geo.errors import SceneError, SkippedSceneWarning
from sscl_geo.geometry.affine import matrix_from_affine
from sscl_geo.geometry.footprint import footprint
from sscl_geo.io.area import Area
from sscl_geo.io.dates import Moment, covered_time, time_range
from sscl_geo.io.scene import Scene


def scenes_between(
    scenes: Sequence[Scene], start: Moment | None, end: Moment | None
) -> tuple[Scene, ...]:
    """Scenes of a time range.

    Args:
        scenes: some scenes.
        start: from when, included; None is open.
        end: until when, included; None is open.

    Raises:
        SceneError: if there is none.

    Warns:
        SkippedSceneWarning: for each scene without a date.
    """
    first, last = time_range(start, end)
    kept = []
    for scene in scenes:
        if scene.date is None:
            warnings.warn(
                f"Left out: {scene.path} has no date, but a time range was asked for; "
                "give date_pattern, or leave dates away.",
                SkippedSceneWarning,
                stacklevel=3,
            )
            continue
        begins, ends = covered_time(scene.date)
        if begins <= last and first <= ends:
            kept.append(scene)
    if not kept:
        known = sorted(scene.date for scene in scenes if scene.date is not None)
        have = f"they date from {known[0]:%Y-%m-%d} to {known[-1]:%Y-%m-%d}" if known else "no date"
        raise SceneError(
            f"None of {len(scenes)} scenes lies between {start} and {end} ({have}); "
            "widen the range."
        )
    return tuple(kept)


def scenes_touching(scenes: Sequence[Scene], area: Area) -> tuple[Scene, ...]:
    """Scenes that share ground with an area of interest.

    Args:
        scenes: some scenes.
        area: the area.

    Raises:
        SceneError: if there is none.
    """
    ground = np.array([footprint(matrix_from_affine(s.geobox.affine), s.shape) for s in scenes])
    touches = np.zeros(len(scenes), bool)
    wkts = [scene.crs.wkt for scene in scenes]
    for wkt in dict.fromkeys(wkts):
        own = np.array([other == wkt for other in wkts])
        around = shapely.box(*shapely.total_bounds(ground[own]))
        there = area.to_crs(pyproj.CRS(wkt), around)
        touches[own] = shapely.area(shapely.intersection(ground[own], there)) > 0
    kept = tuple(compress(scenes, touches))
    if not kept:
        raise SceneError(
            f"None of {len(scenes)} scenes touches the area of interest; check both in a map."
        )
    return kept
