"""Reference labels of any kind, on whatever grid they are asked for."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.classes import ClassTable
from sscl_geo.errors import ConfigError, LabelError, NoSharedGroundError
from sscl_geo.io.class_table import ClassSource, read_classification
from sscl_geo.io.remap import Key, Remap, Target, read_remap

if TYPE_CHECKING:
    from sscl_geo.io.label_raster import RasterLabels
    from sscl_geo.io.label_vector import VectorLabels

VECTOR_SUFFIXES = (
    ".gpkg", ".shp", ".geojson", ".json", ".parquet", ".geoparquet", ".fgb", ".gml", ".kml", ".zip",
    ".shz", ".gdb",
)  # fmt: skip
"""Suffixes of files and folders read as vector layers."""

Resampling = Literal["nearest", "majority"]
Overlap = Literal["last", "first", "smallest", "ignore"]
RemapSource = Remap | Mapping[Key, Target] | str | os.PathLike[str]


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
        """True if the file has a name but no value for a class, so that one was made up here."""
        ...

    def on_grid(self, geobox: GeoBox) -> NDArray[np.unsignedinteger]:
        """Class indices (height, width) on a grid; ``classes.ignore_index`` without a label.

        Their type is ``classes.index_dtype``.
        """
        ...

    def overlaps(self, geobox: GeoBox) -> bool:
        """True if the extents of labels and grid share ground."""
        ...


@dataclass(frozen=True)
class LabelOptions:
    """How a file of labels is to be read, beyond its classes and their column.

    Attributes:
        layer: layer of a vector file that has several, or layers to be read together, later ones on
            top; their names are then in the column ``layer``.
        remap: source value or name -> class value or name, or None for no label; or a YAML or CSV
            file of it. See :class:`sscl_geo.io.remap.Remap`.
        resampling: what a pixel gets where a class raster lies on another grid: the class under its
            centre (``"nearest"``), or the most frequent one inside it (``"majority"``).
        overlap: which of two features of the same kind has a pixel that both take: the ``"last"``
            or ``"first"`` in the file, the ``"smallest"``; or neither, if they differ in class
            (``"ignore"``).
        crs: coordinate reference system to read the file in, in place of the one that it names.

    Raises:
        ConfigError: if there is no such resampling or overlap.
    """

    layer: str | Sequence[str] | None = None
    remap: RemapSource | None = None
    resampling: Resampling = "nearest"
    overlap: Overlap = "last"
    crs: str | None = None

    def __post_init__(self) -> None:
        for name, known in (
            ("resampling", ("nearest", "majority")),
            ("overlap", ("last", "first", "smallest", "ignore")),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"Labels have no {name} {getattr(self, name)!r}; take {', '.join(known)}."
                )

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers that are named."""
        return (self.layer,) if isinstance(self.layer, str) else tuple(self.layer or ())


def open_labels(
    path: str | os.PathLike[str],
    classes: ClassSource | None = None,
    column: str | None = None,
    layer: str | Sequence[str] | None = None,
    *,
    remap: RemapSource | None = None,
    resampling: Resampling = "nearest",
    overlap: Overlap = "last",
    crs: str | None = None,
) -> "RasterLabels | VectorLabels":
    """Open a class raster or a vector layer of points, lines or polygons.

    Args:
        path: a vector file or folder as :func:`is_vector` knows them, or a raster that GDAL reads.
        classes: the classes to look for, as a table or a CSV, YAML or QML file of it; those found
            in the file if None. A vector column of text is matched to them by name, everything else
            by value.
        column: column of a vector layer that holds the class; chosen if None.
        layer: as in :class:`LabelOptions`, like all that follow.
        remap: rules that merge, rename or drop source classes.
        resampling: ``"nearest"`` or ``"majority"``, of class rasters on another grid.
        overlap: ``"last"``, ``"first"``, ``"smallest"`` or ``"ignore"``, of features.
        crs: coordinate reference system in place of the one that the file names.

    Raises:
        LabelError: if the file is missing or unreadable, has no coordinate reference system, no
            usable class, or a class outside ``classes``.
        ConfigError: if ``column``, ``layer`` or ``overlap`` is given for a raster, or
            ``resampling`` for vectors.

    Example:
        >>> from sscl_geo.io.labels import open_labels
        >>> open_labels(labels_path, remap={"forest": "trees"}).classes.names
        ('water', 'trees')
    """
    return open_with(path, classes, column, LabelOptions(layer, remap, resampling, overlap, crs))


def is_vector(path: str | os.PathLike[str]) -> bool:
    """Whether labels are read as vector layers; everything else is tried as a raster.

    That is so of the suffixes :data:`VECTOR_SUFFIXES`, file geodatabases (``.gdb``) among them, and
    of folders that hold a Shapefile.
    """
    path = Path(path)
    return path.suffix.lower() in VECTOR_SUFFIXES or any(path.glob("*.shp"))


def open_with(
    path: str | os.PathLike[str],
    classes: ClassSource | None = None,
    column: str | None = None,
    options: LabelOptions | None = None,
) -> "RasterLabels | VectorLabels":
    """Open labels as :func:`open_labels` does, with all options in one value."""
    path, options = os.fspath(path), options or LabelOptions()
    if not Path(path).exists() and "://" not in path and not path.startswith("/vsi"):
        raise LabelError(f"There is no file {path}; check the path of the labels.")
    wanted, remap = read_classification(classes), read_remap(options.remap)
    if is_vector(path):
        if options.resampling != "nearest":
            raise ConfigError(
                f"The labels {path} are vectors, and resampling is for rasters; leave it out."
            )
        from sscl_geo.io.label_vector import VectorLabels

        return VectorLabels(
            path, wanted, column, options.layers, remap, options.overlap, options.crs
        )
    given = {"column": column, "layer": options.layers, "overlap": options.overlap != "last"}
    for name, value in given.items():
        if value:
            raise ConfigError(
                f"The labels {path} are a raster, and {name} is for vector files; leave it out."
            )
    from sscl_geo.io.label_raster import RasterLabels

    return RasterLabels(path, wanted, remap, options.resampling, options.crs)


def check_overlap(labels: Labels, geobox: GeoBox, path: str) -> None:
    """Refuse labels that lie wholly beside a scene or map.

    Args:
        labels: the labels.
        geobox: grid of the scene or map.
        path: its name, for the message.

    Raises:
        NoSharedGroundError: if their extents share none.
    """
    if not labels.overlaps(geobox):
        raise NoSharedGroundError(
            f"The labels {labels.path} lie wholly outside {path}; give labels of the same place, "
            "or correct the coordinate reference system of either."
        )
