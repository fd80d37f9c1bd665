"""Blocks as files, to be looked at in a GIS or drawn there."""

import os
from pathlib import Path

import geopandas as gpd
import pyogrio
from pyogrio.errors import DataSourceError

from sscl_geo.errors import LabelError
from sscl_geo.io.atomic import atomic_path

_LAYER = "blocks"


def write_blocks(blocks: gpd.GeoDataFrame, path: str | os.PathLike[str]) -> Path:
    """Write blocks to a GeoPackage, to be looked at in a GIS.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_path(path) as temporary:
        blocks.to_file(temporary, driver="GPKG", layer=_LAYER, engine="pyogrio")
    return Path(path)


def read_blocks(path: str | os.PathLike[str]) -> gpd.GeoDataFrame:
    """Read polygons with a column ``part``: from :func:`write_blocks`, or drawn by hand.

    Of several layers it is the one called ``blocks``. Tables without geometry do not count: QGIS
    keeps the style of a layer in one.

    Raises:
        LabelError: if the file is missing or has no polygons with parts, or several layers of which
            none is called ``blocks``.
    """
    if not Path(path).exists():
        raise LabelError(f"There is no file {path}; check the path of the blocks.")
    try:
        blocks = pyogrio.read_dataframe(path, layer=_layer_of_blocks(path))
    except (DataSourceError, ValueError) as error:
        raise LabelError(
            f"Cannot read {path} as a vector layer; give a file of blocks ({error})."
        ) from error
    if not isinstance(blocks, gpd.GeoDataFrame) or "part" not in blocks or blocks.crs is None:
        raise LabelError(
            f"{path} has no polygons with a column 'part' and a coordinate reference system; "
            "give a file that 'write_blocks' wrote, or add the column."
        )
    return blocks


def _layer_of_blocks(path: str | os.PathLike[str]) -> str | None:
    """Name of the layer to read; None where no layer has a geometry."""
    layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    if len(layers) > 1 and _LAYER not in layers:
        raise LabelError(
            f"{path} has the layers {', '.join(layers)}; call the one of the blocks {_LAYER!r}."
        )
    return _LAYER if _LAYER in layers else next(iter(layers), None)
