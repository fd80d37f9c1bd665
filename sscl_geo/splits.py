"""Spatial blocks: parts for training, validation and test that share no ground.

Neighbouring pixels look alike, so that a random split of pixels or overlapping patches tests what
was trained on. Blocks keep the parts apart (Roberts et al., 2017, doi:10.1111/ecog.02881).
"""

import os
from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyogrio.errors import DataSourceError

from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.errors import ConfigError, LabelError
from sscl_geo.geometry.affine import matrix_from_affine, transform_points
from sscl_geo.geometry.grid import grid_shape, grid_wkt
from sscl_geo.io.atomic import atomic_path
from sscl_geo.io.region import Region

DEFAULT_SHARES = {"train": 0.5, "val": 0.1, "test": 0.4}
"""Shares of the blocks that each part gets when none are given."""


def spatial_blocks(
    geobox: GeoBox,
    block_size: int,
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
    labels: NDArray[np.uint8] | None = None,
) -> gpd.GeoDataFrame:
    """Cut a grid into square blocks and deal them to parts.

    With labels, blocks are dealt by iterative stratification (Sechidis et al., 2011,
    doi:10.1007/978-3-642-23808-6_10), rarest class first, so that each class is spread over the
    parts in proportion to their shares; the first part gets every class that occurs at all.

    Args:
        geobox: the pixel grid, usually that of a scene.
        block_size: side of a block in pixels; those at the right and bottom edge may be smaller.
        shares: share of the blocks by name of the part; need not sum to 1.
        seed: seed of the draw; the same seed gives the same blocks.
        labels: class indices (height, width) on the grid, IGNORE_INDEX where there are none.

    Returns:
        one row a block, in the coordinate reference system of the grid: ``row`` and ``col`` of the
        block, ``part``, and its outline.

    Raises:
        ConfigError: if a share is negative, all are 0, or the block size is below 1.
    """
    shares = dict(DEFAULT_SHARES if shares is None else shares)
    if block_size < 1 or not shares or min(shares.values()) < 0 or sum(shares.values()) <= 0:
        raise ConfigError(
            f"Blocks of {block_size} pixels with the shares {shares} cannot be made; "
            "give at least one pixel, and shares of 0 or more that are not all 0."
        )
    height, width = grid_shape(geobox)
    rows, cols = -(-height // block_size), -(-width // block_size)
    row, col = (a.ravel() for a in np.mgrid[:rows, :cols])
    holds = (
        np.zeros((len(row), 0), bool)
        if labels is None
        else _classes_held(labels, row * block_size, col * block_size, block_size)
    )
    parts = np.array(list(shares))
    weights = np.array(list(shares.values()), dtype=np.float64)
    dealt = _deal(holds, weights / weights.sum(), np.random.default_rng(seed))
    top, left = row * block_size, col * block_size
    bottom, right = np.minimum(top + block_size, height), np.minimum(left + block_size, width)
    pixel = np.stack([left, top, right, top, right, bottom, left, bottom], axis=-1)
    outlines = transform_points(
        matrix_from_affine(geobox.affine), pixel.reshape(-1, 4, 2).astype(np.float64)
    )
    return gpd.GeoDataFrame(
        {"row": row, "col": col, "part": parts[dealt]},
        geometry=shapely.polygons(outlines),
        crs=grid_wkt(geobox),
    )


def part_mask(blocks: gpd.GeoDataFrame, geobox: GeoBox, part: str) -> NDArray[np.bool_]:
    """Pixels of a grid whose centre lies in the blocks of one part.

    Args:
        blocks: polygons with a column ``part``, in any coordinate reference system.
        geobox: the pixel grid.
        part: name of the part.

    Returns:
        bool of shape (height, width). No pixel is in two parts, also where polygons overlap: the
        later one has it.

    Raises:
        LabelError: if no block belongs to the part.
    """
    return Region(blocks, part).mask(geobox)


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


def _classes_held(
    labels: NDArray[np.uint8], top: NDArray[np.int_], left: NDArray[np.int_], size: int
) -> NDArray[np.bool_]:
    """Which class occurs in which block, of shape (blocks, classes)."""
    labelled = labels[labels != IGNORE_INDEX]
    count = int(labelled.max()) + 1 if labelled.size else 0
    holds = np.zeros((len(top), count), bool)
    for block, (i, j) in enumerate(zip(top.tolist(), left.tolist(), strict=True)):
        found = np.unique(labels[i : i + size, j : j + size])
        holds[block, found[found != IGNORE_INDEX]] = True
    return holds[:, holds.any(axis=0)]


def _deal(
    holds: NDArray[np.bool_], shares: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int_]:
    """Number of the part of each block."""
    blocks = len(holds)
    dealt = np.full(blocks, -1)
    wanted = shares * blocks
    wanted_of_class = shares[:, None] * holds.sum(axis=0)
    present = np.zeros(wanted_of_class.shape, bool)

    def give(block: int, part: int) -> None:
        dealt[block] = part
        wanted[part] -= 1
        wanted_of_class[part] -= holds[block]
        present[part] |= holds[block]

    order = rng.permutation(blocks)
    while holds.shape[1] and (left := dealt[order] < 0).any():
        remaining = holds[order[left]].sum(axis=0)
        if not remaining.any():
            break
        rarest = int(np.argmin(np.where(remaining > 0, remaining, blocks + 1)))
        for block in order[left & holds[order, rarest]]:
            lacking = shares[0] > 0 and not present[0, rarest]
            give(block, 0 if lacking else _most_wanted(wanted_of_class[:, rarest], wanted, shares))
    for block in order[dealt[order] < 0]:
        give(block, _most_wanted(wanted, wanted, shares))
    return dealt


def _most_wanted(
    first: NDArray[np.float64], second: NDArray[np.float64], shares: NDArray[np.float64]
) -> int:
    """Part that lacks most, ties broken by the second count, then by order."""
    return max(
        np.flatnonzero(shares > 0).tolist(), key=lambda part: (round(first[part], 9), second[part])
    )
