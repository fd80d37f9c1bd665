"""Blocks as files, to be looked at in a GIS or drawn there."""

import os
from pathlib import Path

import geopandas as gpd
import pyogrio
from pyogrio.errors import DataSourceError

from sscl_geo.errors import LabelError
from sscl_geo.io.atomic import atomic_path


def write_blocks(blocks: gpd.GeoDataFrame, path: str | os.PathLike[str]) -> Path:
    """Write blocks to a GeoPackage, to be looked at in a GIS.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_path(path) as temporary:
        blocks.to_file(temporary, driver="GPKG", layer="blocks", engine="pyogrio")
    return Path(path)


def read_blocks(path: str | os.PathLike[str]) -> gpd.GeoDataFrame:
    """Read polygons with a column ``part``: from :func:`write_blocks`, or drawn by hand.

    Raises:
        LabelError: if the file is missing or has no polygons with parts.
    """
    if not Path(path).exists():
        raise LabelError(f"There is no file {path}; check the path of the blocks.")
    try:
        blocks = pyogrio.read_dataframe(path)
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
