"""A validation part of the labelled ground, apart from what is trained on."""

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from sscl_geo.errors import ConfigError
from sscl_geo.geometry.affine import matrix_from_affine, transform_points
from sscl_geo.geometry.grid import grid_wkt
from sscl_geo.io.labels import Labels
from sscl_geo.io.region import Region
from sscl_geo.io.scene import Scene
from sscl_geo.samplers.labelled_patches import count_labels
from sscl_geo.splits.dealing import deal

_STAGES = ("train", "between", "val")


def held_out_blocks(
    scenes: Sequence[Scene],
    labels: Labels,
    share: float,
    *,
    block_size: int,
    buffer: int,
    seed: int = 0,
    region: Region | None = None,
    bands: Sequence[str] | None = None,
) -> gpd.GeoDataFrame:
    """Hold out blocks of labelled ground for validation.

    Blocks are dealt by class, as :func:`~sscl_geo.splits.spatial_blocks` does it; training keeps
    every class that has labels in one block alone. The rest of the scenes, but for a buffer around
    the blocks, is for training.

    Args:
        scenes: where the labels lie.
        labels: the labels.
        share: share of the blocks with labels, above 0 and below 1.
        block_size: side of a block in pixels.
        buffer: pixels around the blocks that are for neither.
        seed: seed of the draw.
        region: ground whose labels count; everything if None.
        bands: names of the bands that must have data where a label counts; all if None.

    Returns:
        polygons with a column ``part`` (``train``, ``between``, ``val``), where a later one has the
        ground of earlier ones, for ``within`` of fine-tuning.

    Raises:
        ConfigError: if the share is out of range, or there are too few blocks to hold one out.
        LabelError: if there are no labels.
    """
    if not 0 < share < 1:
        raise ConfigError(f"val_share is {share}; give a share above 0 and below 1.")
    cells = count_labels(scenes, labels, block_size, region, bands)
    dealt = deal(cells.counts > 0, np.array([1 - share, share]), np.random.default_rng(seed))
    if not dealt.any():
        raise ConfigError(
            f"Labels in {len(dealt)} blocks of {block_size} pixels are too few to hold out a share "
            f"of {share:g} for validation; give smaller blocks or more labels, or leave val_share "
            "out."
        )
    crs = grid_wkt(scenes[0].geobox)
    found = []
    for number, scene in enumerate(scenes):
        mine = (cells.scene == number) & (dealt == 1)
        row, col = cells.row[mine] * block_size, cells.col[mine] * block_size
        height, width = scene.shape
        held = shapely.box(
            col, row, np.minimum(col + block_size, width), np.minimum(row + block_size, height)
        )
        around = shapely.buffer(held, buffer, join_style="mitre") if buffer else held[:0]
        outlines = np.concatenate([[shapely.box(0, 0, width, height)], around, held])
        parts = np.repeat(_STAGES, [1, len(around), len(held)])
        to_map = matrix_from_affine(scene.geobox.affine)
        on_ground = shapely.transform(outlines, lambda xy, m=to_map: transform_points(m, xy))
        blocks = gpd.GeoDataFrame({"part": parts}, geometry=on_ground, crs=grid_wkt(scene.geobox))
        found.append(blocks.to_crs(crs))
    blocks = pd.concat(found, ignore_index=True)
    # Stage by stage, so that no scene's training ground covers another's validation block.
    order = blocks["part"].map(_STAGES.index).argsort(kind="stable")
    return gpd.GeoDataFrame(blocks.iloc[order].reset_index(drop=True), crs=crs)
