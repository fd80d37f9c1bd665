"""Spatial blocks: parts for training, validation and test that share no ground."""

from collections.abc import Mapping
from itertools import pairwise, product

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
from sscl_geo.splits.dealing import checked_shares, deal, give_way, warn_if_uneven

_NARROW = 1 / 3
"""Share of a block's side below which a rest at the edge is no block of its own."""


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
        block_size: side of a block in pixels. What is left at the right and bottom edge makes
            smaller blocks or, where narrower than a third of a block, belongs to the last ones.
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

    Warns:
        UnevenSplitWarning: if a part gets no block, or its ground is far from its share. What the
            buffer then takes does not count.
    """
    shares = checked_shares(shares)
    if block_size < 1 or buffer < 0:
        raise ConfigError(
            f"Blocks of {block_size} pixels with a buffer of {buffer} cannot be made; give blocks "
            "of at least one pixel, and a buffer of 0 or more."
        )
    height, width = grid_shape(geobox)
    y, x = _edges(height, block_size), _edges(width, block_size)
    row, col = (a.ravel() for a in np.mgrid[: len(y) - 1, : len(x) - 1])
    holds = np.zeros((len(row), 0), bool) if labels is None else _classes_held(labels, y, x)
    parts = np.array(list(shares))
    dealt = deal(holds, np.array(list(shares.values())), np.random.default_rng(seed))
    warn_if_uneven(
        shares,
        dealt,
        np.outer(np.diff(y), np.diff(x)).ravel(),
        f"Blocks of {block_size} pixels",
        "choose smaller blocks (--block-size) or other shares",
    )
    # In pixels, where the buffer is the same on rotated and on geographic grids.
    outlines = shapely.box(x[col], y[row], x[col + 1], y[row + 1])
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


def _edges(length: int, size: int) -> NDArray[np.int_]:
    """Where blocks begin along an axis, and where the last one ends."""
    rest = length % size
    count = max(1, length // size + (rest >= _NARROW * size))
    return np.append(np.arange(count) * size, length)


def _classes_held(
    labels: NDArray[np.unsignedinteger], y: NDArray[np.int_], x: NDArray[np.int_]
) -> NDArray[np.bool_]:
    """Which class occurs in which block, of shape (blocks, classes)."""
    labelled = labels[labels != nodata_of(labels.dtype)]
    count = int(labelled.max()) + 1 if labelled.size else 0
    corners = list(product(pairwise(y.tolist()), pairwise(x.tolist())))
    holds = np.zeros((len(corners), count), bool)
    for block, ((top, bottom), (left, right)) in enumerate(corners):
        found = np.unique(labels[top:bottom, left:right])
        holds[block, found[found != nodata_of(labels.dtype)]] = True
    return holds[:, holds.any(axis=0)]
