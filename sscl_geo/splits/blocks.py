"""Spatial blocks: parts for training, validation and test that share no ground."""

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.classes import nodata_of
from sscl_geo.errors import ConfigError
from sscl_geo.geometry.affine import matrix_from_affine, transform_points
from sscl_geo.geometry.grid import grid_shape, grid_wkt
from sscl_geo.io.region import Region
from sscl_geo.splits.dealing import checked_shares, deal, give_way


def spatial_blocks(
    geobox: GeoBox,
    block_size: int,
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
    labels: NDArray[np.unsignedinteger] | None = None,
    buffer: int = 0,
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
        labels: class indices (height, width) on the grid, the highest value of their type where
            there are none.
        buffer: pixels that are left out between parts. They are taken from the part that stands
            earlier in ``shares``, so that of the usual three the test blocks stay whole.

    Returns:
        one row a block, in the coordinate reference system of the grid: ``row`` and ``col`` of the
        block, ``part``, and its outline. Blocks of which the buffer leaves nothing are missing.

    Raises:
        ConfigError: if a share is negative, all are 0, the block size is below 1, the buffer is
            negative, or it leaves nothing of a part.
    """
    shares = checked_shares(shares)
    if block_size < 1 or buffer < 0:
        raise ConfigError(
            f"Blocks of {block_size} pixels with a buffer of {buffer} cannot be made; give blocks "
            "of at least one pixel, and a buffer of 0 or more."
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
    dealt = deal(holds, np.array(list(shares.values())), np.random.default_rng(seed))
    top, left = row * block_size, col * block_size
    bottom, right = np.minimum(top + block_size, height), np.minimum(left + block_size, width)
    # In pixels, where the buffer is the same on rotated and on geographic grids.
    outlines = shapely.box(left, top, right, bottom)
    if buffer:
        outlines = give_way(outlines, dealt, buffer, "mitre")
    kept = ~shapely.is_empty(outlines)
    lost = set(parts[dealt].tolist()) - set(parts[dealt[kept]].tolist())
    if lost:
        raise ConfigError(
            f"A buffer of {buffer} pixels leaves nothing of the part {min(lost)!r}; choose a "
            "narrower buffer or larger blocks."
        )
    to_map = matrix_from_affine(geobox.affine)
    return gpd.GeoDataFrame(
        {"row": row[kept], "col": col[kept], "part": parts[dealt[kept]]},
        geometry=shapely.transform(outlines[kept], lambda xy: transform_points(to_map, xy)),
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


def labels_of_part(
    labels: NDArray[np.unsignedinteger], blocks: gpd.GeoDataFrame, geobox: GeoBox, part: str
) -> NDArray[np.unsignedinteger]:
    """Class indices (height, width) inside one part, the highest value of their type elsewhere.

    Args:
        labels: class indices on the grid.
        blocks: polygons with a column ``part``, in any coordinate reference system.
        geobox: the pixel grid.
        part: name of the part.

    Raises:
        LabelError: if no block belongs to the part.
    """
    return np.where(part_mask(blocks, geobox, part), labels, nodata_of(labels.dtype))


def _classes_held(
    labels: NDArray[np.unsignedinteger], top: NDArray[np.int_], left: NDArray[np.int_], size: int
) -> NDArray[np.bool_]:
    """Which class occurs in which block, of shape (blocks, classes)."""
    labelled = labels[labels != nodata_of(labels.dtype)]
    count = int(labelled.max()) + 1 if labelled.size else 0
    holds = np.zeros((len(top), count), bool)
    for block, (i, j) in enumerate(zip(top.tolist(), left.tolist(), strict=True)):
        found = np.unique(labels[i : i + size, j : j + size])
        holds[block, found[found != nodata_of(labels.dtype)]] = True
    return holds[:, holds.any(axis=0)]
