"""Drawing the reference points from which accuracy and areas of a map are estimated."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from numpy.typing import ArrayLike, NDArray

from sscl_geo.classes import ClassTable
from sscl_geo.errors import ConfigError, FewPointsWarning, LabelError, UnequalPixelsWarning
from sscl_geo.evaluation.areas import AreaEstimates, estimate_from_points
from sscl_geo.evaluation.figures import Evaluation
from sscl_geo.geometry.affine import matrix_from_affine, transform_points
from sscl_geo.geometry.grid import grid_shape, grid_wkt
from sscl_geo.io.atomic import atomic_path
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.areas import GroundArea
from sscl_geo.maps.products.finished import FinishedMap, open_map
from sscl_geo.progress import track

_BAND = 512
"""Rows that are read at once."""

_UNEQUAL: Final = 0.01
"""How much, relatively, pixels may differ in area without a warning."""

_STRATA = "strata"
"""Key of the layer's metadata: the pixels of each class of the map that points were drawn from."""


def draw_reference_points(
    map_path: str | os.PathLike[str], count: int = 600, least: int = 50, seed: int = 0
) -> gpd.GeoDataFrame:
    """Draw pixels at random inside each class of a map, to be labelled by an interpreter.

    Every class gets ``least`` points, and the rest goes to the larger classes in proportion to
    their pixels (Olofsson et al., 2014, section 5.1.2, doi:10.1016/j.rse.2014.02.015). The points
    stand in random order and do not say what the map shows there, so that nobody who labels them
    leans towards the map.

    Args:
        map_path: a class map, as ``segment`` writes, best in an equal-area or UTM projection: that
            pixels of other grids differ in area is nothing that the estimates know of.
        count: number of points; fewer only where the whole map has fewer pixels.
        least: least number of points of each class; all its pixels where they are fewer.
        seed: seed of the draw.

    Returns:
        points at pixel centres in the coordinate reference system of the map, with the columns
        ``point`` (1, 2, ...) and ``class`` (to be filled in).

    Raises:
        ConfigError: if ``count`` does not give every class ``least`` points, or these are fewer
            than 2.
        SceneError: if the map cannot be read.

    Warns:
        FewPointsWarning: if a class has a single pixel.
        UnequalPixelsWarning: if pixels differ in area by more than a hundredth.

    Example:
        >>> from sscl_geo.evaluation import draw_reference_points, write_reference_points
        >>> points = draw_reference_points("map.tif", count=500)  # doctest: +SKIP
        >>> write_reference_points(points, "points.gpkg")  # doctest: +SKIP
    """
    finished = open_map(map_path)
    _warn_of_unequal_pixels(finished)
    present = finished.pixels > 0
    values = np.array([c.value for c in finished.classes])[present]
    pixels = finished.pixels[present]
    single = [c.name for c, n in zip(finished.classes, finished.pixels, strict=True) if n == 1]
    if single:
        warnings.warn(
            f"{map_path} has a single pixel of {', '.join(single)}, and so a single point, without "
            "whose label nothing can be estimated; merge the class into another, or sieve the map.",
            FewPointsWarning,
            stacklevel=2,
        )
    rng = np.random.default_rng(seed)
    allocated = allocate_points(pixels, count, least)
    ranks = [
        np.sort(rng.choice(total, n, replace=False))
        for total, n in zip(pixels.tolist(), allocated.tolist(), strict=True)
    ]
    centres = rng.permutation(_find(finished, values, ranks), axis=0)
    xy = transform_points(matrix_from_affine(finished.geobox.affine), centres)
    points = gpd.GeoDataFrame(
        {
            "point": np.arange(1, len(xy) + 1),
            "class": pd.array([None] * len(xy), dtype="string"),
        },
        geometry=gpd.points_from_xy(xy[:, 0], xy[:, 1]),
        crs=grid_wkt(finished.geobox),
    )
    points.attrs[_STRATA] = _strata(finished)
    return points


def allocate_points(pixels: NDArray[np.int64], count: int, least: int) -> NDArray[np.int64]:
    """Number of points of each class: ``least``, or more in proportion to its pixels.

    What a class with fewer pixels than ``least`` cannot take goes to the others.

    Args:
        pixels: pixels of each class, above 0.
        count: number of points in all.
        least: least number of each class; all its pixels where they are fewer.

    Raises:
        ConfigError: as :func:`draw_reference_points` does.
    """
    floor = np.minimum(least, pixels)
    if least < 2 or count < least * len(pixels):
        raise ConfigError(
            f"{count} points cannot give each of {len(pixels)} classes {least} of them; give at "
            "least 2 for a class, and that number times the classes in all."
        )
    count = min(count, int(pixels.sum()))
    fixed = np.zeros(len(pixels), bool)
    while True:
        rest = count - floor[fixed].sum()
        wanted = np.where(fixed, floor, rest * pixels / max(pixels[~fixed].sum(), 1))
        small = ~fixed & (wanted < floor)
        if not small.any():
            break
        fixed |= small
    given = np.floor(wanted).astype(np.int64)
    given[np.argsort(given - wanted, kind="stable")[: count - given.sum()]] += 1
    return given


def write_reference_points(points: gpd.GeoDataFrame, path: str | os.PathLike[str]) -> Path:
    """Write points to a GeoPackage that remembers which map they were drawn from.

    Args:
        points: of :func:`draw_reference_points`.
        path: the file.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_path(path) as temporary:
        points.to_file(
            temporary,
            driver="GPKG",
            layer="points",
            engine="pyogrio",
            layer_metadata={_STRATA: points.attrs[_STRATA]},
        )
    return Path(path)


def estimate_areas(
    evaluation: Evaluation,
    map_path: str | os.PathLike[str],
    points: str | os.PathLike[str],
    layers: Sequence[str] = (),
) -> AreaEstimates:
    """Estimate accuracy and areas of a whole map from labelled reference points.

    Args:
        evaluation: comparison of the map with the points, by
            :func:`~sscl_geo.evaluation.evaluate`, with nothing left out.
        map_path: the map that the points were drawn from.
        points: file of the points. One that :func:`write_reference_points` wrote is checked to be
            of this map; others are trusted to be drawn at random inside each of its classes.
        layers: layers of the file that the points are in; its first if none is named.

    Returns:
        estimates in hectares; in pixels where the grid has no place on the globe.

    Raises:
        LabelError: if the labels are no points, were drawn from another map, or are too few.

    Warns:
        UnequalPixelsWarning: if pixels of the map differ in area by more than a hundredth.

    Example:
        >>> from sscl_geo.evaluation import estimate_areas, evaluate
        >>> result = evaluate("map.tif", "points.gpkg")  # doctest: +SKIP
        >>> estimate_areas(result, "map.tif", "points.gpkg").per_class()  # doctest: +SKIP
    """
    finished = open_map(map_path)
    _warn_of_unequal_pixels(finished)
    for layer in layers or (None,):
        _check_points(points, layer, finished)
    by_value = {c.value: c for c in (*finished.classes, *evaluation.classes)}
    classes = ClassTable(tuple(by_value[v] for v in sorted(by_value)))
    index_of = {c.value: i for i, c in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), np.int64)
    at = [index_of[c.value] for c in evaluation.classes]
    counts[np.ix_(at, at)] = evaluation.confusion
    known = bool(np.isfinite(finished.hectares).all())
    own = [index_of[c.value] for c in finished.classes]
    area = np.zeros(len(classes))
    area[own] = finished.hectares if known else finished.pixels
    pixels = np.zeros(len(classes), np.int64)
    pixels[own] = finished.pixels
    return estimate_from_points(counts, area, classes, "ha" if known else "pixels", pixels)


def _warn_of_unequal_pixels(finished: FinishedMap) -> None:
    """Say so where pixels count alike that differ in area, as on geographic grids of any height."""
    height, width = grid_shape(finished.geobox)
    rows, cols = np.meshgrid([0.5, height / 2, height - 0.5], [0.5, width / 2, width - 0.5])
    area = GroundArea(finished.geobox).pixel_hectares(rows, cols)
    area = area[np.isfinite(area)]
    if area.size and np.ptp(area) > _UNEQUAL * area.max():
        warnings.warn(
            f"Pixels of {finished.path} differ in area by {np.ptp(area) / area.max():.0%}, and "
            "estimates from points take them for alike; use a map in an equal-area or UTM "
            "projection.",
            UnequalPixelsWarning,
            stacklevel=3,
        )


def _find(
    finished: FinishedMap, values: NDArray[np.int_], ranks: Sequence[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Centres (col, row) of the n-th pixels of each class, counted along the rows of the map."""
    height, width = grid_shape(finished.geobox)
    seen = np.zeros(len(values), np.int64)
    found = []
    with SceneReader(open_scene(finished.path)) as reader:
        for top in track(range(0, height, _BAND), "points"):
            classes = reader.read_raw(top, 0, min(_BAND, height - top), width).pixels[0]
            for k, value in enumerate(values):
                pixels = np.flatnonzero(classes == value)
                here = ranks[k][np.searchsorted(ranks[k], seen[k]) :]
                here = here[: np.searchsorted(here, seen[k] + len(pixels))]
                row, col = np.divmod(pixels[here - seen[k]], width)
                found.append(np.stack([col + 0.5, top + row + 0.5], axis=-1))
                seen[k] += len(pixels)
    return np.concatenate(found)


def _strata(finished: FinishedMap) -> str:
    counts = zip(finished.classes, finished.pixels.tolist(), strict=True)
    return ",".join(f"{c.value}:{n}" for c, n in sorted(counts, key=lambda p: p[0].value) if n)


def _check_points(path: str | os.PathLike[str], layer: str | None, finished: FinishedMap) -> None:
    info = pyogrio.read_info(path, layer=layer)
    if "Point" not in str(info["geometry_type"]):
        raise LabelError(
            f"{path} holds no points; estimates need points drawn at random, as "
            "'sscl-geo points' draws them."
        )
    strata = (info.get("layer_metadata") or {}).get(_STRATA)
    if strata is not None and strata != _strata(finished):
        raise LabelError(
            f"The points {path} were drawn from another map than {finished.path}; give that map, "
            "or draw points from this one."
        )


def sample_size(
    mapped_area: ArrayLike, users_accuracy: Sequence[float], standard_error: float = 0.01
) -> int:
    """Number of points that an overall accuracy of a wanted standard error needs (equation 13).

    Args:
        mapped_area: area of each class on the map, in any unit.
        users_accuracy: user's accuracy expected of each class, 0 to 1.
        standard_error: wanted standard error of the overall accuracy.

    Raises:
        ConfigError: if a value cannot be used.

    Example:
        >>> from sscl_geo.evaluation import sample_size
        >>> sample_size([200_000, 150_000, 3_200_000, 6_450_000], [0.7, 0.6, 0.9, 0.95])
        641
    """
    area, accuracy = np.asarray(mapped_area, np.float64), np.asarray(users_accuracy, np.float64)
    usable = area.shape == accuracy.shape and area.sum() > 0 and standard_error > 0
    if not usable or area.min() < 0 or accuracy.min() < 0 or accuracy.max() > 1:
        raise ConfigError(
            "The sample size needs an area of 0 or more and an accuracy from 0 to 1 for each "
            "class, and a standard error above 0; correct them."
        )
    spread = np.sqrt(accuracy * (1 - accuracy)) @ (area / area.sum())
    return int(np.ceil((spread / standard_error) ** 2 - 1e-9))
