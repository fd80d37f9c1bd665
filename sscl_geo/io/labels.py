"""Reference labels of any kind, on whatever grid they are asked for."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.classes import ClassTable
from sscl_geo.errors import LabelError

if TYPE_CHECKING:
    from sscl_geo.io.label_raster import RasterLabels
    from sscl_geo.io.label_vector import VectorLabels

VECTOR_SUFFIXES = (
    ".gpkg", ".shp", ".geojson", ".json", ".parquet", ".geoparquet", ".fgb", ".gml", ".kml", ".zip",
)  # fmt: skip
"""Suffixes of files read as vector layers; everything else is tried as a raster."""


class Labels(Protocol):
    """Labels that can be put on any pixel grid."""

    @property
    def path(self) -> str:
        """File the labels come from."""
        ...

    @property
    def classes(self) -> ClassTable:
        """What the class indices mean."""
        ...

    @property
    def is_named_only(self) -> bool:
        """True if the file holds names alone, so that the class values were made up here."""
        ...

    def on_grid(self, geobox: GeoBox) -> NDArray[np.uint8]:
        """Class indices (height, width) on a grid; IGNORE_INDEX where there is no label."""
        ...

    def overlaps(self, geobox: GeoBox) -> bool:
        """True if the extents of labels and grid share ground."""
        ...


def open_labels(
    path: str | os.PathLike[str],
    classes: ClassTable | None = None,
    column: str | None = None,
    layer: str | None = None,
) -> "RasterLabels | VectorLabels":
    """Open a class raster or a vector layer of points, lines or polygons.

    Args:
        path: any file that GDAL or pyogrio reads.
        classes: the classes to look for; those found in the file if None. A vector column of text
            is matched to them by name, everything else by value.
        column: column of a vector layer that holds the class; chosen if None.
        layer: layer of a vector file that has several.

    Raises:
        LabelError: if the file is missing or unreadable, has no coordinate reference system, no
            usable class, or a class outside ``classes``.
    """
    path = os.fspath(path)
    if not Path(path).exists() and "://" not in path and not path.startswith("/vsi"):
        raise LabelError(f"There is no file {path}; check the path of the labels.")
    if Path(path).suffix.lower() in VECTOR_SUFFIXES:
        from sscl_geo.io.label_vector import VectorLabels

        return VectorLabels(path, classes, column, layer)
    from sscl_geo.io.label_raster import RasterLabels

    return RasterLabels(path, classes)


def check_overlap(labels: Labels, geobox: GeoBox, path: str) -> None:
    """Refuse labels that lie wholly beside a scene or map.

    Args:
        labels: the labels.
        geobox: grid of the scene or map.
        path: its name, for the message.

    Raises:
        LabelError: if their extents share no ground.
    """
    if not labels.overlaps(geobox):
        raise LabelError(
            f"The labels {labels.path} lie wholly outside {path}; give labels of the same place, "
            "or correct the coordinate reference system of either."
        )
