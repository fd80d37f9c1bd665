"""Whether a scene's pixels are as large on the ground as those a bundle was trained on."""

from typing import Final

from sscl_geo.bundle import Bundle
from sscl_geo.errors import BundleError
from sscl_geo.io.scene import Scene

TOLERANCE: Final = 0.05
"""Largest relative difference of pixel sizes that is let pass."""

_SPELLINGS: Final = {"meter": "metre", "meters": "metre", "metres": "metre", "m": "metre"}


def check_resolution(bundle: Bundle, scene: Scene) -> None:
    """Refuse a scene whose pixel size differs from the bundle's by more than 5 percent.

    Raises:
        BundleError: with both sizes.
    """
    unit = scene_unit(scene)
    width, height = scene.pixel_size
    same_unit = _SPELLINGS.get(unit, unit) == _SPELLINGS.get(
        bundle.resolution_unit, bundle.resolution_unit
    )
    ratios = (width / bundle.resolution[0], height / bundle.resolution[1])
    if same_unit and all(abs(ratio - 1) <= TOLERANCE for ratio in ratios):
        return
    wanted = f"{bundle.resolution[0]:g} x {bundle.resolution[1]:g}"
    raise BundleError(
        f"{scene.path} has pixels of {width:g} x {height:g} {unit} but the model was trained on "
        f"{wanted} {bundle.resolution_unit}; resample the scene first, for example with "
        f"'gdalwarp -tr {wanted.replace(' x ', ' ')} SCENE OUT'."
    )


def scene_unit(scene: Scene) -> str:
    """Name of the unit of a scene's coordinate reference system, such as ``"metre"``."""
    crs = scene.geobox.crs
    return crs.units[0] if crs is not None else ""
