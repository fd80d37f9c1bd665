"""What the parts of a split hold."""

from collections.abc import Iterable

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.classes import nodata_of
from sscl_geo.splits.blocks import labels_of_part


def count_parts(
    blocks: gpd.GeoDataFrame,
    parts: Iterable[str],
    geobox: GeoBox | None = None,
    labels: NDArray[np.unsignedinteger] | None = None,
) -> pd.DataFrame:
    """Count blocks, pixels and labelled pixels of each part of a grid.

    Args:
        blocks: with a column ``part``.
        parts: names of the parts, also of those that have no block.
        geobox: the grid that the blocks were cut from; None to count blocks alone.
        labels: class indices on the grid, the highest value of their type where there are none.

    Returns:
        a row a part: ``part``, ``blocks``, with a grid ``pixels``, and with labels ``labelled``.
    """
    counts = pd.DataFrame({"part": list(parts)})
    there = blocks["part"].value_counts()
    counts["blocks"] = counts["part"].map(there).fillna(0).astype(int)
    if geobox is None:
        return counts
    # By area, since a mask of a huge scene would take as much memory as the scene.
    area = pd.Series(shapely.area(blocks.geometry.to_numpy())).groupby(blocks["part"].array).sum()
    pixels = counts["part"].map(area / abs(geobox.affine.determinant)).fillna(0)
    counts["pixels"] = pixels.round().astype(int)
    if labels is not None:
        unknown = nodata_of(labels.dtype)
        counts["labelled"] = [
            int(np.count_nonzero(labels_of_part(labels, blocks, geobox, part) != unknown))
            if part in there
            else 0
            for part in counts["part"]
        ]
    return counts
