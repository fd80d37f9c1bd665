"""How well a map agrees with reference labels, each pixel once."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sscl_geo.classes import IGNORE_INDEX, NODATA, ClassTable, LandCoverClass
from sscl_geo.errors import LabelError, SceneError
from sscl_geo.io.atomic import atomic_path
from sscl_geo.io.labels import Labels, check_overlap, open_labels
from sscl_geo.io.legend import Legend, read_legend
from sscl_geo.io.reading import SceneReader
from sscl_geo.io.region import Region
from sscl_geo.io.scene import open_scene
from sscl_geo.progress import track
from sscl_geo.splits import read_blocks

_TILE = 1024
_VALUES = NODATA + 1


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A confusion matrix and the figures that follow from it.

    Figures that are not defined, such as the recall of a class that the reference lacks, are NaN.

    Attributes:
        classes: the classes of reference and map together.
        confusion: int64 of shape (K, K), pixels; rows are the reference, columns the map.
        unmapped: int64 of shape (K,), pixels of each reference class where the map has no data;
            they are in no figure below.
    """

    classes: ClassTable
    confusion: NDArray[np.int64]
    unmapped: NDArray[np.int64]

    @property
    def pixels(self) -> int:
        """Pixels that were compared."""
        return int(self.confusion.sum())

    @property
    def overall_accuracy(self) -> float:
        """Share of the pixels on which map and reference agree (OA)."""
        return float(np.trace(self.confusion) / self.pixels)

    @property
    def kappa(self) -> float:
        """Agreement beyond chance (Cohen, 1960, doi:10.1177/001316446002000104)."""
        chance = float((self._reference / self.pixels) @ (self._mapped / self.pixels))
        return float(_divide(np.array(self.overall_accuracy - chance), np.array(1 - chance)))

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each class; NaN where neither side has the class."""
        return _divide(self._agreed, self._reference + self._mapped - self._agreed)

    @property
    def miou(self) -> float:
        """Mean of the IoU over the classes that the reference has."""
        return float(self.iou[self._reference > 0].mean())

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of the map's pixels of each class that are right (user's accuracy)."""
        return _divide(self._agreed, self._mapped)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the reference's pixels of each class that were found (producer's accuracy)."""
        return _divide(self._agreed, self._reference)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall of each class."""
        return _divide(2 * self._agreed, self._reference + self._mapped)

    @property
    def mf1(self) -> float:
        """Mean of the F1 score over the classes that the reference has."""
        return float(self.f1[self._reference > 0].mean())

    def per_class(self) -> pd.DataFrame:
        """Table with a row a class: value, name, pixels on both sides, and its figures."""
        return pd.DataFrame(
            {
                "value": list(self.classes.values),
                "name": self.classes.names,
                "reference_pixels": self._reference,
                "map_pixels": self._mapped,
                "unmapped_pixels": self.unmapped,
                "iou": self.iou,
                "precision": self.precision,
                "recall": self.recall,
                "f1": self.f1,
            }
        )

    def overall(self) -> dict[str, float]:
        """Figures over all classes, by name."""
        return {
            "overall_accuracy": self.overall_accuracy,
            "kappa": self.kappa,
            "miou": self.miou,
            "mf1": self.mf1,
            "pixels": self.pixels,
            "unmapped_pixels": int(self.unmapped.sum()),
        }

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the figures, and the confusion matrix beside them as ``NAME_confusion.csv``.

        The figures have the columns metric, class_value, class_name, value; the matrix has a row
        for each reference class and a column for each map class.

        Args:
            path: where the figures go.

        Raises:
            OutputError: if they cannot be written.
        """
        path = Path(path)
        rows: list[tuple[str, object, str, object]] = [
            (metric, "", "", value) for metric, value in self.overall().items()
        ]
        table = self.per_class()
        rows += [
            (metric, value, name, figure)
            for metric in table.columns[2:]
            for value, name, figure in zip(
                table["value"], table["name"], table[metric], strict=True
            )
        ]
        figures = pd.DataFrame(rows, columns=["metric", "class_value", "class_name", "value"])
        names = [f"{c.value} {c.name}" for c in self.classes]
        matrix = pd.DataFrame(self.confusion, index=names, columns=names)
        with atomic_path(path.with_name(f"{path.stem}_confusion.csv")) as temporary:
            matrix.to_csv(temporary, index_label="reference \\ map")
        with atomic_path(path) as temporary:
            figures.to_csv(temporary, index=False)
        return path

    @cached_property
    def _agreed(self) -> NDArray[np.int64]:
        return np.diag(self.confusion)

    @cached_property
    def _reference(self) -> NDArray[np.int64]:
        return self.confusion.sum(axis=1)

    @cached_property
    def _mapped(self) -> NDArray[np.int64]:
        return self.confusion.sum(axis=0)


def evaluate(
    map_path: str | os.PathLike[str],
    labels: str | os.PathLike[str] | Labels,
    *,
    classes: ClassTable | None = None,
    column: str | None = None,
    within: gpd.GeoDataFrame | str | os.PathLike[str] | None = None,
    part: str = "test",
) -> Evaluation:
    """Compare a map with reference labels on the map's pixel grid.

    Both are read tile by tile, so that memory does not grow with the map. Classes are matched by
    value; labels of a vector file that has names alone are matched by the names of the map.

    Args:
        map_path: a class raster with whole values from 0 to 254, as ``segment`` writes.
        labels: reference labels in any coordinate reference system: a file, or a
            :class:`~sscl_geo.datasets.labels.LabelDataset`.
        classes: the classes to expect on both sides; if None, those of the labels and of the map,
            with the names of the map's legend.
        column: column of a vector file that holds the class; chosen if None.
        within: blocks; only those of ``part`` are looked at. Everything if None.
        part: name of the part.

    Returns:
        the confusion matrix with its figures.

    Raises:
        SceneError: if the map is no georeferenced raster of one band.
        LabelError: if labels and map share no labelled pixel, or hold an unexpected class.
    """
    scene = open_scene(map_path)
    if len(scene.bands) != 1:
        raise SceneError(f"{scene.path} has {len(scene.bands)} bands; give a map of one band.")
    if isinstance(labels, str | os.PathLike):
        labels = open_labels(labels, classes, column)
    check_overlap(labels, scene.geobox, scene.path)
    legend = read_legend(scene.path)
    reference = _reference_classes(labels, legend)
    if isinstance(within, str | os.PathLike):
        within = read_blocks(within)
    region = None if within is None else Region(within, part)
    value_of = np.full(_VALUES, NODATA, np.int64)
    value_of[: len(reference)] = [c.value for c in reference]
    height, width = scene.shape
    counts = np.zeros((_VALUES, _VALUES), np.int64)
    tiles = [(r, c) for r in range(0, height, _TILE) for c in range(0, width, _TILE)]
    with SceneReader(scene) as reader:
        for row, col in track(tiles, "evaluate"):
            geobox = scene.geobox[row : min(row + _TILE, height), col : min(col + _TILE, width)]
            known = labels.on_grid(geobox)
            compared = known != IGNORE_INDEX
            if region is not None and compared.any():
                compared &= region.mask(geobox)
            if not compared.any():
                continue
            patch = reader.read(row, col, *known.shape)
            mapped = _map_values(patch.image[0], patch.valid, scene.path)
            pairs = value_of[known[compared]] * _VALUES + mapped[compared]
            counts += np.bincount(pairs, minlength=_VALUES**2).reshape(counts.shape)
    if not counts[:, :NODATA].any():
        where = "" if region is None else f" in the part {part!r}"
        raise LabelError(
            f"{scene.path} has no data on any labelled pixel of {labels.path}{where}; give labels "
            "of the same place, or choose another part."
        )
    table = classes or _union(reference, legend, np.flatnonzero(counts.any(axis=0)).tolist())
    values = list(table.values)
    strange = set(np.flatnonzero(counts[:, :NODATA].any(axis=0)).tolist()) - set(values)
    if strange:
        raise LabelError(
            f"{scene.path} holds the class value {min(strange)}, which is not among the classes "
            f"{', '.join(map(str, values))}; add it to the class table."
        )
    return Evaluation(table, counts[np.ix_(values, values)], counts[values, NODATA])


def _reference_classes(labels: Labels, legend: Legend) -> tuple[LandCoverClass, ...]:
    """Classes of the labels; where these have names alone, with the values of the map's legend."""
    if not labels.is_named_only:
        return labels.classes.classes
    value_of = {name.casefold(): value for value, name in legend.names.items()}
    free = (v for v in range(NODATA) if v not in legend.names)
    missing = [c.name for c in labels.classes if c.name.casefold() not in value_of]
    if len(missing) == len(labels.classes):
        return labels.classes.classes
    value_of |= {name.casefold(): next(free) for name in missing}
    return tuple(
        LandCoverClass(value_of[c.name.casefold()], c.name, c.color) for c in labels.classes
    )


def _union(reference: tuple[LandCoverClass, ...], legend: Legend, mapped: list[int]) -> ClassTable:
    """Classes of the reference and of the map, with the map's names where it has any."""
    own = {c.value: c for c in reference}
    values = sorted({*own, *(v for v in mapped if v != NODATA)})
    names = {v: own[v].name for v in own} | {
        v: legend.names[v] for v in values if v in legend.names
    }
    colors = {v: own[v].color for v in own} | legend.colors
    return Legend(names, colors).table(values)


def _map_values(
    pixels: NDArray[np.float32], valid: NDArray[np.bool_], path: str
) -> NDArray[np.int64]:
    values = np.where(valid, pixels, NODATA)
    bad = (values < 0) | (values > NODATA) | (values != np.round(values))
    if bad.any():
        raise SceneError(
            f"{path} holds the value {values[bad][0]:g}, which is no class value; give a map of "
            f"whole numbers from 0 to {NODATA - 1}."
        )
    return values.astype(np.int64)


def _divide(numerator: NDArray, denominator: NDArray) -> NDArray[np.float64]:
    """Quotient; NaN where the denominator is 0."""
    nan = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=nan, where=denominator != 0)
