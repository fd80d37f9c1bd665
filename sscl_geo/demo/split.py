"""Dealing the ground of a scene to training and test, before anything is learned."""

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from sscl_geo.classes import nodata_of
from sscl_geo.errors import ConfigError, LabelError
from sscl_geo.io.scene import Scene
from sscl_geo.splits import part_mask, spatial_blocks


def deal_blocks(
    scene: Scene,
    labels: NDArray[np.unsignedinteger],
    block_size: int,
    train_share: float,
    seed: int,
    test_needs_labels: bool,
) -> gpd.GeoDataFrame:
    """Deal square blocks of a scene to the parts ``train`` and ``test``.

    Blocks are stratified by where the labels are, so that training gets every class that has
    labels at all. Nothing else of the labels, and nothing of the reference, is looked at.

    Args:
        scene: the scene.
        labels: class indices on its grid.
        block_size: side of a block in pixels.
        train_share: share of the blocks for training, 0 to 1.
        seed: seed of the draw.
        test_needs_labels: whether maps will be measured against these very labels.

    Raises:
        ConfigError: if a part gets no block.
        LabelError: if the test blocks hold no label but need one.
    """
    shares = {"train": train_share, "test": 1 - train_share}
    blocks = spatial_blocks(scene.geobox, block_size, shares, seed, labels)
    if set(blocks["part"]) != {"train", "test"}:
        raise ConfigError(
            f"{scene.path} gives {len(blocks)} block(s) of {block_size} pixels, of which training "
            f"takes {train_share:.0%}, so that one part gets none; choose smaller blocks or "
            "another share."
        )
    test = part_mask(blocks, scene.geobox, "test")
    if test_needs_labels and (labels[test] == nodata_of(labels.dtype)).all():
        raise LabelError(
            "No label lies in the test blocks, so that no map can be measured; give a reference, "
            "more labels, or smaller blocks."
        )
    return blocks
