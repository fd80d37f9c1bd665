"""Reading layers of a vector file."""

import posixpath
from collections.abc import Sequence
from pathlib import PurePosixPath
from zipfile import BadZipFile, ZipFile, is_zipfile

import geopandas as gpd
import pandas as pd
import pyogrio
import pyproj
from pyogrio.errors import DataSourceError
from pyproj.exceptions import CRSError

from sscl_geo.errors import LabelError
from sscl_geo.io.labels import VECTOR_SUFFIXES

LAYER_COLUMN = "layer"
"""Column that says of which layer a feature is, where several were read."""


def read_layers(
    path: str, layers: Sequence[str] = (), crs: str | None = None
) -> tuple[gpd.GeoDataFrame, tuple[str, ...]]:
    """Read one layer, or several one after the other.

    Args:
        path: any file or folder that pyogrio reads, or GeoParquet; in a ZIP the files may also lie
            in a folder.
        layers: their names; the only one that there is if empty.
        crs: coordinate reference system in place of the one that the file names.

    Returns:
        the features, in the coordinate reference system of the first layer, and the names of the
        layers. Of several, the name of its layer stands in the column :data:`LAYER_COLUMN`.

    Raises:
        LabelError: if the file cannot be read, has no such layer, holds no geometry, or has no
            coordinate reference system.
    """
    try:
        if path.lower().endswith((".parquet", ".geoparquet")):
            names, frames = (), [gpd.read_parquet(path)]
        else:
            source = _unpacked(path)
            names = _choose(source, path, layers)
            frames = [gpd.read_file(source, layer=name, engine="pyogrio") for name in names]
    except (DataSourceError, OSError, ValueError, BadZipFile) as error:
        raise LabelError(
            f"Cannot read {path} as a vector layer; give a file that ogrinfo can read ({error})."
        ) from error
    named = [_with_crs(frame, path, crs) for frame in frames]
    if len(named) == 1:
        return named[0], names
    for frame, name in zip(named, names, strict=True):
        if LAYER_COLUMN not in frame:
            frame[LAYER_COLUMN] = name
    first = named[0]
    same = [frame.to_crs(first.crs) for frame in named]
    return gpd.GeoDataFrame(pd.concat(same, ignore_index=True), crs=first.crs), names


def _unpacked(path: str) -> str:
    """What GDAL opens: of a ZIP, its only layer, or the folder of all layers; else the path."""
    if not is_zipfile(path):
        return path
    with ZipFile(path) as file:
        names = [name for name in file.namelist() if not name.startswith("__MACOSX/")]
    layers = [name for name in names if PurePosixPath(name).suffix.lower() in VECTOR_SUFFIXES]
    within = posixpath.commonpath(layers or names) if names else ""
    # In braces, GDAL takes a file of any suffix, such as .shz, for a ZIP.
    return f"/vsizip/{{{path}}}/{within}" if within else path


def _choose(source: str, path: str, layers: Sequence[str]) -> tuple[str, ...]:
    there = [str(name) for name, kind in pyogrio.list_layers(source) if kind is not None]
    if not layers and len(there) == 1:
        return (there[0],)
    missing = [layer for layer in layers if layer not in there]
    if missing or not layers:
        problem = f"no layer {missing[0]!r}" if missing else "several layers"
        raise LabelError(f"{path} has {problem}; name one of {', '.join(there) or 'none'}.")
    return tuple(layers)


def _with_crs(frame: pd.DataFrame, path: str, crs: str | None) -> gpd.GeoDataFrame:
    if not isinstance(frame, gpd.GeoDataFrame):
        raise LabelError(f"{path} holds a table without geometry; give points, lines or polygons.")
    if crs is not None:
        try:
            known = pyproj.CRS.from_user_input(crs)
        except CRSError as error:
            raise LabelError(
                f"{crs!r} is no coordinate reference system; give EPSG:32612 for example, or WKT."
            ) from error
        return gpd.GeoDataFrame(frame, geometry=frame.geometry.set_crs(known, allow_override=True))
    if frame.crs is None:
        raise LabelError(
            f"{path} has no coordinate reference system; name it by the option crs, or assign one, "
            "for example with 'ogr2ogr -a_srs EPSG:32612 OUT FILE'."
        )
    return frame
