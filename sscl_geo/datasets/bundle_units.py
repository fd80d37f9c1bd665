"""A bundle's statistics in the units of the scenes that it is to be used on."""

import os
from collections.abc import Sequence

from sscl_geo.bundle import Bundle
from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.errors import UnitsError
from sscl_geo.io.units import BandUnits, differing_scene


def bundle_in_units(
    bundle: Bundle | None,
    paths: Sequence[str | os.PathLike[str]],
    bands: Sequence[str] | None,
) -> Bundle | None:
    """The bundle with its statistics in the units of scenes, which must share them.

    Args:
        bundle: the bundle; None stays None.
        paths: files, folders or patterns of the scenes.
        bands: names of the bands that are read; all if None.

    Raises:
        UnitsError: if the scenes differ, or it is not told how their units compare.
    """
    if bundle is None or bundle.units is None:
        return bundle
    scenes = SceneDataset(paths, bands).scenes
    other = differing_scene(scenes, bands)
    if other is not None:
        raise UnitsError(
            f"{other.path} is in other units than {scenes[0].path}, so the encoder's statistics "
            "cannot be right for both; fine-tune on scenes of one pixel type, scale and offset."
        )
    return bundle.in_units(BandUnits.of(scenes[0], bands), scenes[0].path)
