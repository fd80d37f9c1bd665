"""Footprints and overlaps of pairs as a GeoPackage, to be opened in a GIS."""

import os
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from sscl_geo.errors import OutputError
from sscl_geo.geometry.footprint import footprint, overlap, overlap_share
from sscl_geo.io.atomic import atomic_path


def write_pairs(
    path: str | os.PathLike[str],
    pixel_to_map: NDArray[np.float64],
    shape: tuple[int, int],
    crs: object,
    shares: NDArray[np.float64] | None = None,
    *,
    numbers: Sequence[int] | None = None,
    scenes: Sequence[tuple[str, str]] | None = None,
) -> Path:
    """Write where the two views of each pair lie on the ground, and what they share.

    The layer ``footprints`` has a polygon for each view with the attributes ``pair``, ``view``
    (``"a"`` or ``"b"``), ``overlap_share`` and, if given, ``scene``; the layer ``overlaps`` a
    polygon for each pair whose views share ground, with ``pair``, ``overlap_share`` and ``area``
    (in squared units of the CRS). A GIS that opens the file shows both.

    Args:
        path: the GeoPackage to write, ending in ``.gpkg``; replaced in one step.
        pixel_to_map: float64 of shape (N, 2, 2, 3).
        shape: (height, width) of the views in pixels.
        crs: coordinate reference system of the map coordinates, as pyproj or odc-geo knows it.
        shares: overlap share of each pair, 0 to 1; computed, of the smaller view, if None.
        numbers: number of each pair; 1 to N if None.
        scenes: names of the scenes that the two views of each pair were read from.

    Returns:
        ``path``.

    Raises:
        OutputError: if it cannot be written.
    """
    footprints = footprint(np.asarray(pixel_to_map, dtype=np.float64), shape)
    a, b = footprints[:, 0], footprints[:, 1]
    shares = overlap_share(a, b) if shares is None else np.asarray(shares, dtype=np.float64)
    pair = np.arange(1, len(footprints) + 1) if numbers is None else np.asarray(numbers)
    shared = overlap(a, b)
    views = gpd.GeoDataFrame(
        {
            "pair": np.repeat(pair, 2),
            "view": np.tile(["a", "b"], len(pair)),
            "overlap_share": np.repeat(shares, 2),
            **({} if scenes is None else {"scene": [name for two in scenes for name in two]}),
        },
        geometry=footprints.ravel(),
        crs=_known(crs),
    )
    overlaps = gpd.GeoDataFrame(
        {"pair": pair, "overlap_share": shares, "area": shapely.area(shared)},
        geometry=shared,
        crs=_known(crs),
    )
    overlaps = overlaps[overlaps["area"] > 0]
    path = Path(path)
    if path.suffix.lower() != ".gpkg":
        raise OutputError(
            f"{path} does not end in .gpkg; name the GeoPackage so that a GIS opens it."
        )
    with atomic_path(path) as temporary:
        for layer, frame in (("footprints", views), ("overlaps", overlaps)):
            frame.to_file(temporary, layer=layer, driver="GPKG", engine="pyogrio")
    return path


def _known(crs: object) -> object:
    """CRS as geopandas takes it: odc-geo's wraps one of pyproj."""
    return getattr(crs, "proj", crs)
