"""A confusion matrix, and what follows from it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sscl_geo.classes import ClassTable
from sscl_geo.errors import LabelError
from sscl_geo.evaluation.boundary import BoundaryCounts
from sscl_geo.evaluation.calibration import Calibration
from sscl_geo.evaluation.divide import divide
from sscl_geo.io.atomic import atomic_path


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A confusion matrix and the figures that follow from it.

    Figures that are not defined, such as the recall of a class that the reference lacks, are NaN.

    Attributes:
        classes: the classes of reference and map together.
        confusion: int64 of shape (K, K), pixels; rows are the reference, columns the map.
        unmapped: int64 of shape (K,), pixels of each reference class where the map has no data;
            they are in no figure below.
        boundary: border pixels and how many of them were found.
        calibration: pixels by confidence; None if a map came without its confidence raster.
        name: what was compared, usually the name of the map's file.
        scenes: the maps that were summed up, each with its own figures; none if there was one map.
    """

    classes: ClassTable
    confusion: NDArray[np.int64]
    unmapped: NDArray[np.int64]
    boundary: BoundaryCounts
    calibration: Calibration | None = None
    name: str = ""
    scenes: tuple["Evaluation", ...] = ()

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
        return float(divide(self.overall_accuracy - chance, 1 - chance))

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each class; NaN where neither side has the class."""
        return divide(self._agreed, self._reference + self._mapped - self._agreed)

    @property
    def miou(self) -> float:
        """Mean of the IoU over the classes that the reference has."""
        return float(self.iou[self._reference > 0].mean())

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of the map's pixels of each class that are right (user's accuracy)."""
        return divide(self._agreed, self._mapped)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the reference's pixels of each class that were found (producer's accuracy)."""
        return divide(self._agreed, self._reference)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall of each class."""
        return divide(2 * self._agreed, self._reference + self._mapped)

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
                "boundary_f1": self.boundary.f1,
            }
        )

    def per_scene(self) -> pd.DataFrame:
        """Table with a row a map: its name and its figures over all classes."""
        return pd.DataFrame([{"scene": e.name, **e.overall()} for e in self.scenes or (self,)])

    def overall(self) -> dict[str, float]:
        """Figures over all classes, by name; ``ece`` is NaN without a confidence raster."""
        calibration = self.calibration
        return {
            "overall_accuracy": self.overall_accuracy,
            "kappa": self.kappa,
            "miou": self.miou,
            "mf1": self.mf1,
            "boundary_f1": self.boundary.mean_f1,
            "ece": float("nan") if calibration is None else calibration.expected_error(),
            "pixels": self.pixels,
            "unmapped_pixels": int(self.unmapped.sum()),
        }

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the figures, and the confusion matrix beside them as ``NAME_confusion.csv``.

        The figures have the columns metric, class_value, class_name, value; the matrix has a row
        for each reference class and a column for each map class. If several maps were compared,
        the figures of each go to ``NAME_scenes.csv``.

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
        if self.scenes:
            with atomic_path(path.with_name(f"{path.stem}_scenes.csv")) as temporary:
                self.per_scene().to_csv(temporary, index=False)
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


def sum_up(scenes: Sequence[Evaluation]) -> Evaluation:
    """Sum several maps up as if they were one: every pixel counts the same.

    Args:
        scenes: at least one; classes are brought together by value.

    Raises:
        LabelError: if two of them mean different classes by the same value.
    """
    if len(scenes) == 1:
        return scenes[0]
    by_value = {c.value: c for e in scenes for c in reversed(e.classes.classes)}
    for evaluation in scenes:
        for item in evaluation.classes:
            known = by_value[item.value]
            if known.name != item.name:
                raise LabelError(
                    f"The class value {item.value} is {item.name!r} in {evaluation.name} and "
                    f"{known.name!r} in another map; give a class table for all of them."
                )
    classes = ClassTable(tuple(by_value[v] for v in sorted(by_value)))
    size = len(classes)
    confusion, unmapped = np.zeros((size, size), np.int64), np.zeros(size, np.int64)
    boundary = np.zeros((4, size), np.int64)
    index_of = {value: i for i, value in enumerate(classes.values)}
    for evaluation in scenes:
        at = [index_of[c.value] for c in evaluation.classes]
        confusion[np.ix_(at, at)] += evaluation.confusion
        unmapped[at] += evaluation.unmapped
        boundary[:, at] += evaluation.boundary.counts
    return replace(
        scenes[0],
        classes=classes,
        confusion=confusion,
        unmapped=unmapped,
        boundary=BoundaryCounts.of(scenes[0].boundary.tolerance, boundary),
        calibration=_sum_of([e.calibration for e in scenes]),
        name=f"{len(scenes)} maps",
        scenes=tuple(scenes),
    )


def _sum_of(calibrations: Sequence[Calibration | None]) -> Calibration | None:
    known = [c for c in calibrations if c is not None]
    if len(known) < len(calibrations):
        return None
    return Calibration(
        np.sum([c.pixels for c in known], axis=0), np.sum([c.right for c in known], axis=0)
    )
