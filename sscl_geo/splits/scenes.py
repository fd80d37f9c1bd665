"""Whole scenes as training, validation and test."""

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import shapely

from sscl_geo.errors import ConfigError
from sscl_geo.geometry.grid import grid_wkt
from sscl_geo.io.scene import Scene
from sscl_geo.splits.dealing import checked_shares, deal, give_way, warn_if_uneven


def split_scenes(
    scenes: Sequence[Scene],
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
    buffer: float = 0,
) -> gpd.GeoDataFrame:
    """Deal whole scenes to parts, as benchmarks do with their tiles.

    Where scenes of two parts overlap, the part that stands later in ``shares`` has the ground, so
    that of the usual three the test scenes stay whole.

    Args:
        scenes: at least one.
        shares: share of the scenes by name of the part; need not sum to 1.
        seed: seed of the draw; the same seed gives the same parts.
        buffer: distance that is left out between parts, in units of the first scene's coordinate
            reference system.

    Returns:
        one row a scene, in the coordinate reference system of the first: ``scene`` (its name),
        ``part``, and its outline. For :func:`~sscl_geo.splits.write_blocks` and ``within``.

    Raises:
        ConfigError: if there is no scene, a share is negative, all are 0, the buffer is negative,
            or other parts cover all that a part has.

    Warns:
        UnevenSplitWarning: if the scenes of a part are none, or far from its share of them.
    """
    shares = checked_shares(shares)
    if not scenes or buffer < 0:
        raise ConfigError(
            f"{len(scenes)} scene(s) cannot be dealt with a buffer of {buffer}; give at least one "
            "scene, and a buffer of 0 or more."
        )
    parts = np.array(list(shares))
    nothing_known = np.zeros((len(scenes), 0), bool)
    dealt = deal(nothing_known, np.array(list(shares.values())), np.random.default_rng(seed))
    warn_if_uneven(
        shares, dealt, 1, f"{len(scenes)} scene(s)", "give more scenes, or choose other shares"
    )
    wkt = grid_wkt(scenes[0].geobox)
    outlines = np.array([scene.geobox.footprint(wkt).geom for scene in scenes], dtype=object)
    outlines = give_way(outlines, dealt, buffer, "round")
    kept = ~shapely.is_empty(outlines)
    lost = set(parts[dealt].tolist()) - set(parts[dealt[kept]].tolist())
    if lost:
        raise ConfigError(
            f"The scenes of other parts cover all of the part {min(lost)!r}; choose a narrower "
            "buffer, or scenes that overlap less."
        )
    return gpd.GeoDataFrame(
        {
            "scene": [s.name for s, k in zip(scenes, kept, strict=True) if k],
            "part": parts[dealt[kept]],
        },
        geometry=outlines[kept],
        crs=wkt,
    )
