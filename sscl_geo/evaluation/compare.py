"""Comparing maps with reference labels, each pixel once."""

import os
import warnings
from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path

import geopandas as gpd
import numpy as np

from sscl_geo.classes import ClassTable, LandCoverClass, nodata_of
from sscl_geo.errors import (
    ConfigError,
    LabelError,
    NoSharedGroundError,
    SceneError,
    SkippedSceneWarning,
    UnmatchedClassWarning,
)
from sscl_geo.evaluation.boundary import BoundaryCounts
from sscl_geo.evaluation.class_matching import MapClasses, Matched
from sscl_geo.evaluation.figures import Evaluation, sum_up
from sscl_geo.evaluation.tally import Tally
from sscl_geo.evaluation.value_codes import ValueCodes
from sscl_geo.io.class_table import read_class_table
from sscl_geo.io.labels import LabelOptions, Labels, check_overlap, is_vector, open_with
from sscl_geo.io.legend import Legend, read_legend
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.region import Region
from sscl_geo.io.scene import Scene, open_scene
from sscl_geo.progress import track
from sscl_geo.splits import read_blocks

_TILE = 1024

type _Path = str | os.PathLike[str]


def evaluate(
    maps: _Path | Sequence[_Path],
    labels: _Path | Labels,
    *,
    classes: ClassTable | _Path | None = None,
    column: str | None = None,
    label_options: LabelOptions | None = None,
    within: gpd.GeoDataFrame | _Path | None = None,
    part: str = "test",
    boundary_tolerance: float = 2,
) -> Evaluation:
    """Compare a map, or several, with reference labels on each map's own pixel grid.

    Maps are read tile by tile, so that memory does not grow with them. Classes are matched by
    value; labels of a vector file that has names alone are matched by the names of the map, or by
    its values where a name is the text of one. Where ``NAME.confidence.tif`` lies beside
    ``NAME.tif``, calibration is measured too.

    Args:
        maps: class rasters as ``segment`` writes: whole values from 0 to 254, or up to 65534 where
            legend or class table name those above.
        labels: reference labels in any coordinate reference system: a file, a
            :class:`~sscl_geo.datasets.labels.LabelDataset`, or a folder with a label raster of the
            same name for each map.
        classes: the classes to expect on both sides, as a table or a CSV, YAML or QML file of it;
            if None, those of the labels and of the map, with the names of the map's legend.
        column: column of a vector file that holds the class; chosen if None.
        label_options: how a file of labels is read otherwise: layers, remapping, resampling,
            overlaps.
        within: blocks; only those of ``part`` are looked at. Everything if None.
        part: name of the part.
        boundary_tolerance: how far a border of the map may lie from that of the reference, in
            pixels of the map.

    Returns:
        the confusion matrix with its figures; of several maps, summed up and each in ``scenes``.

    Raises:
        ConfigError: if there is no map, or the tolerance is negative.
        SceneError: if a map is no georeferenced raster of one band.
        LabelError: if labels and maps share no labelled pixel or no class, or hold an unexpected
            class.

    Warns:
        SkippedSceneWarning: for each of several maps that shares no labelled pixel with its labels.
        UnmatchedClassWarning: if a map lacks a class that its labels name.

    Example:
        >>> from sscl_geo import evaluate
        >>> result = evaluate("map.tif", "labels.gpkg")  # doctest: +SKIP
        >>> result.overall()["miou"]  # doctest: +SKIP
        0.61
    """
    paths = [maps] if isinstance(maps, str | os.PathLike) else list(maps)
    if not paths or boundary_tolerance < 0:
        raise ConfigError(
            f"{len(paths)} map(s) cannot be evaluated with a boundary tolerance of "
            f"{boundary_tolerance} pixels; give at least one map, and 0 or more pixels."
        )
    if isinstance(within, str | os.PathLike):
        within = read_blocks(within)
    region = None if within is None else Region(within, part)
    labels_of = _opener(labels, classes, column, label_options)
    table = None if classes is None else read_class_table(classes)
    scenes = [_open_map(path) for path in paths]
    legends = [read_legend(path) for path in paths]
    names = {v: name for legend in reversed(legends) for v, name in legend.names.items()}
    known = MapClasses(scenes, names | {c.value: c.name for c in table or ()})
    found: list[Evaluation] = []
    without: list[NoSharedGroundError] = []
    for path, scene, legend in zip(paths, scenes, legends, strict=True):
        own = labels_of(path)
        expected = known.match(own)
        try:
            found.append(
                _evaluate_map(scene, own, legend, expected, table, region, boundary_tolerance)
            )
        except NoSharedGroundError as error:
            without.append(error)
    if not found:
        raise without[0]
    for error in without:
        warnings.warn(f"Left out: {error}", SkippedSceneWarning, stacklevel=2)
    return sum_up(found)


def _open_map(path: _Path) -> Scene:
    scene = open_scene(path)
    if len(scene.bands) != 1:
        raise SceneError(f"{path} has {len(scene.bands)} bands; give a map of one band.")
    return scene


def _opener(
    labels: _Path | Labels,
    classes: ClassTable | _Path | None,
    column: str | None,
    options: LabelOptions | None,
) -> Callable[[_Path], Labels]:
    """Say which labels belong to a map: from a folder its own, else the same for all."""
    if isinstance(labels, str | os.PathLike):
        folder = Path(labels)
        if folder.is_dir() and not is_vector(folder):
            return lambda path: open_with(folder / Path(path).name, classes, column, options)
        labels = open_with(labels, classes, column, options)
    opened = labels
    return lambda _: opened


def _evaluate_map(
    scene: Scene,
    labels: Labels,
    legend: Legend,
    reference: Matched,
    classes: ClassTable | None,
    region: Region | None,
    tolerance: float,
) -> Evaluation:
    check_overlap(labels, scene.geobox, scene.path)
    confidence = _confidence_of(scene)
    named = [*(c.value for c in (*reference.classes, *(classes or ()))), *legend.names]
    codes = ValueCodes(named)
    tally = _count(scene, confidence, labels, reference.classes, codes, region, tolerance)
    counts = tally.pairs
    if not counts[:, : codes.nodata].any():
        where = "" if region is None else f" in the part {region.part!r}"
        raise NoSharedGroundError(
            f"{scene.path} has no data on any labelled pixel of {labels.path}{where}; give labels "
            "of the same place, or choose another part."
        )
    mapped = codes.values[counts[:, : codes.nodata].any(axis=0)].tolist()
    labelled = codes.values[counts[: codes.nodata].any(axis=1)].tolist()
    _warn_of_lacking(scene, labels, reference, labelled)
    table = classes or _union(reference.classes, legend, mapped)
    values = table.values
    for path, held in ((scene.path, mapped), (labels.path, labelled)):
        strange = set(held) - set(values)
        if strange:
            raise LabelError(
                f"{path} holds the class value {min(strange)}, which is not among the classes "
                f"{', '.join(map(str, values))}; add it to the class table."
            )
    at = np.searchsorted(codes.values, values)
    return Evaluation(
        table,
        counts[np.ix_(at, at)],
        counts[at, codes.nodata],
        BoundaryCounts.of(tolerance, tally.boundary[:, at]),
        tally.calibration if confidence is not None else None,
        Path(scene.path).name,
    )


def _count(
    scene: Scene,
    confidence: Scene | None,
    labels: Labels,
    reference: Sequence[LandCoverClass],
    codes: ValueCodes,
    region: Region | None,
    tolerance: float,
) -> Tally:
    """Compare tile by tile; tiles overlap by what the borders of their pixels depend on."""
    code_of = np.full(labels.classes.ignore_index + 1, codes.nodata, np.uint16)
    code_of[: len(reference)] = np.searchsorted(codes.values, [c.value for c in reference])
    height, width = scene.shape
    margin = ceil(tolerance) + 1
    tally = Tally(tolerance, codes.nodata)
    tiles = [(r, c) for r in range(0, height, _TILE) for c in range(0, width, _TILE)]
    with SceneReader(scene) as reader, SceneReader(confidence or scene) as confidence_reader:
        for row, col in track(tiles, "evaluate"):
            top, left = max(row - margin, 0), max(col - margin, 0)
            bottom, right = (
                min(start + _TILE + margin, side) for start, side in ((row, height), (col, width))
            )
            geobox = scene.geobox[top:bottom, left:right]
            known = code_of[labels.on_grid(geobox)]
            counted = (
                slice(row - top, row - top + _TILE),
                slice(col - left, col - left + _TILE),
            )
            if region is not None and (known != codes.nodata).any():
                known[~region.mask(geobox)] = codes.nodata
            if (known[counted] == codes.nodata).all():
                continue
            patch = reader.read(top, left, *known.shape)
            values = np.where(patch.valid, patch.image[0], nodata_of("uint16"))
            mapped = codes.encode(values, scene.path)
            tally.add(known, mapped, counted)
            if confidence is not None:
                tally.add_confidence(
                    known, mapped, confidence_reader.read(top, left, *known.shape), counted
                )
    return tally


def _confidence_of(scene: Scene) -> Scene | None:
    """Open the confidence raster beside a map, if there is one."""
    path = Path(scene.path).with_suffix(".confidence.tif")
    if not path.is_file():
        return None
    confidence = open_scene(path)
    if len(confidence.bands) != 1 or confidence.geobox != scene.geobox:
        raise SceneError(
            f"{path} has not the one band or not the pixel grid of {scene.path}; "
            "write both again with 'segment', or move it elsewhere."
        )
    return confidence


def _warn_of_lacking(scene: Scene, labels: Labels, reference: Matched, labelled: list[int]) -> None:
    """Name the classes on labelled pixels that the map lacks: they may only be misspelt."""
    names = [c.name for c in reference.classes if c.value in reference.lacking & set(labelled)]
    if names:
        warnings.warn(
            f"{scene.path} lacks {', '.join(names)}, which the labels {labels.path} have and which "
            "count as missed by it; rename what is a class of the map in other words with --remap.",
            UnmatchedClassWarning,
            stacklevel=4,
        )


def _union(reference: tuple[LandCoverClass, ...], legend: Legend, mapped: list[int]) -> ClassTable:
    """Classes of the reference and of the map, with the map's names where it has any."""
    own = {c.value: c for c in reference}
    values = sorted({*own, *mapped})
    names = {v: own[v].name for v in own} | {
        v: legend.names[v] for v in values if v in legend.names
    }
    colors = {v: own[v].color for v in own} | legend.colors
    return Legend(names, colors).table(values)
