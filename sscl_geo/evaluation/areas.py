"""Accuracy and areas of a whole map, estimated from a sample of reference points.

The mapped area of a class is biased by what the map confuses, and a share of right points says
nothing of the map unless it is weighted by how the points were drawn. The estimators here are
those of Olofsson et al., 2014, Good practices for estimating area and assessing accuracy of land
change, Remote Sensing of Environment 148, 42-57, doi:10.1016/j.rse.2014.02.015, for points drawn
at random inside each class of the map. Variances have the factor 1 - n/N of finite populations
(Cochran, 1977, Sampling Techniques, section 5.4), which the paper leaves out as its maps are large.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sscl_geo.classes import ClassTable
from sscl_geo.errors import ConfigError, LabelError
from sscl_geo.evaluation.divide import divide
from sscl_geo.io.atomic import atomic_path

Z_95 = 1.959963984540054
"""Half the width of a 95 % confidence interval, in standard errors."""


class Estimate(NamedTuple):
    """An estimate with the half width of its 95 % confidence interval, of the same shape."""

    value: NDArray[np.float64]
    margin: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AreaEstimates:
    """What a stratified sample says of a map; NaN where nothing can be said.

    Attributes:
        classes: the classes.
        points: int64 of shape (K, K), sampled points; rows are the reference, columns the map.
        mapped_area: float64 of shape (K,), area of each class on the map.
        unit: unit of the areas.
        overall_accuracy: share of the area that is mapped right, 0 to 1, of shape ().
        users_accuracy: share of what is mapped as a class that is of the class, of shape (K,).
        producers_accuracy: share of a class that is mapped as such, of shape (K,).
        area: area of each class on the ground, of shape (K,).
    """

    classes: ClassTable
    points: NDArray[np.int64]
    mapped_area: NDArray[np.float64]
    unit: str
    overall_accuracy: Estimate
    users_accuracy: Estimate
    producers_accuracy: Estimate
    area: Estimate

    def per_class(self) -> pd.DataFrame:
        """Table with a row a class; ``_margin`` is half the width of the 95 % interval."""
        return pd.DataFrame(
            {
                "value": [c.value for c in self.classes],
                "name": self.classes.names,
                "points_mapped": self.points.sum(axis=0),
                "points_reference": self.points.sum(axis=1),
                "users_accuracy": self.users_accuracy.value,
                "users_accuracy_margin": self.users_accuracy.margin,
                "producers_accuracy": self.producers_accuracy.value,
                "producers_accuracy_margin": self.producers_accuracy.margin,
                f"mapped_area_{self.unit}": self.mapped_area,
                f"area_{self.unit}": self.area.value,
                f"area_{self.unit}_margin": self.area.margin,
            }
        )

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table of classes.

        Raises:
            OutputError: if it cannot be written.
        """
        with atomic_path(path) as temporary:
            self.per_class().to_csv(temporary, index=False)
        return Path(path)


def estimate_from_points(
    points: ArrayLike,
    mapped_area: ArrayLike,
    classes: ClassTable,
    unit: str = "ha",
    mapped_pixels: ArrayLike | None = None,
) -> AreaEstimates:
    """Estimate accuracy and areas from points drawn at random inside each class of a map.

    Args:
        points: number of points, shape (K, K); **rows are the reference, columns the map**, as in
            :class:`~sscl_geo.evaluation.Evaluation` (the paper writes it the other way round).
        mapped_area: area of each class on the map, shape (K,), in any unit.
        classes: the K classes.
        unit: unit of the areas.
        mapped_pixels: pixels of each class on the map, shape (K,), so that a class all of whose
            pixels were points adds nothing to the margins; without end if None.

    Returns:
        estimates with 95 % confidence intervals.

    Raises:
        ConfigError: if the shapes do not fit, a count or an area is negative, or a class has more
            points than pixels.
        LabelError: if a class that the map has holds neither two points nor one on its only pixel,
            or there is none in it at all.

    Example:
        >>> from sscl_geo.classes import ClassTable
        >>> from sscl_geo.evaluation import estimate_from_points
        >>> classes = ClassTable.from_values([1, 2], {1: "forest", 2: "other"})
        >>> result = estimate_from_points([[45, 10], [5, 90]], [300, 700], classes)
        >>> result.area.value.round().tolist()
        [340.0, 660.0]
    """
    counts = np.asarray(points, np.int64)
    area = np.asarray(mapped_area, np.float64)
    size = len(classes)
    pixels = np.full(size, np.inf) if mapped_pixels is None else np.asarray(mapped_pixels)
    if counts.shape != (size, size) or area.shape != (size,) or min(counts.min(), area.min()) < 0:
        raise ConfigError(
            f"Points of shape {counts.shape} and areas of shape {area.shape} do not fit {size} "
            "classes, or one is negative; give (K, K) points and K areas of 0 or more."
        )
    drawn = counts.sum(axis=0)
    if pixels.shape != (size,) or (drawn > pixels).any():
        raise ConfigError(
            f"Pixels of shape {pixels.shape} do not fit {size} classes, or are fewer than the "
            "points of a class; give the pixels of each class on the map."
        )
    _check(drawn, area, pixels, classes)
    weight = area / area.sum()
    share = np.nan_to_num(divide(counts, drawn))  # of the points of each mapped class
    # Variance of each share; a class without area has no weight, whatever stands here.
    unseen = 1 - np.nan_to_num(divide(drawn, pixels))
    spread = np.nan_to_num(divide(share * (1 - share), drawn - 1)) * unseen
    right = np.diag(share)
    proportion = share @ weight  # p.k, equation 9
    found = divide(right * weight, proportion)
    overall_variance = weight**2 @ np.diag(spread)  # equation 5
    area_variance = spread @ weight**2  # equation 10
    beside = area_variance - weight**2 * np.diag(spread)
    producers_variance = divide(  # equation 7, with areas as shares of the whole
        (weight * (1 - found)) ** 2 * np.diag(spread) + found**2 * beside, proportion**2
    )
    is_drawn = drawn > 0
    return AreaEstimates(
        classes=classes,
        points=counts,
        mapped_area=area,
        unit=unit,
        overall_accuracy=_estimate(weight @ right, overall_variance),
        users_accuracy=_estimate(
            np.where(is_drawn, right, np.nan), np.where(is_drawn, np.diag(spread), np.nan)
        ),
        producers_accuracy=_estimate(found, producers_variance),
        area=_estimate(area.sum() * proportion, area.sum() ** 2 * area_variance),
    )


def _estimate(value: ArrayLike, variance: ArrayLike) -> Estimate:
    return Estimate(np.asarray(value), np.asarray(Z_95 * np.sqrt(variance)))


def _check(
    drawn: NDArray[np.int64],
    area: NDArray[np.float64],
    pixels: NDArray[np.number],
    classes: ClassTable,
) -> None:
    if not area.sum() > 0 or not np.isfinite(area).all():
        raise LabelError("The areas of the map are all 0 or not known; give a map with classes.")
    few = np.flatnonzero((area > 0) & (drawn < np.minimum(2, pixels)))
    if few.size:
        raise LabelError(
            f"The map's class {classes[int(few[0])].name!r} has {drawn[few[0]]} labelled reference "
            "point(s); label at least two in each class of the map, or its only pixel."
        )
    strange = np.flatnonzero((area == 0) & (drawn > 0))
    if strange.size:
        raise LabelError(
            f"Reference points lie in {classes[int(strange[0])].name!r}, which has no area on the "
            "map; give the areas of the map that the points were drawn from."
        )
