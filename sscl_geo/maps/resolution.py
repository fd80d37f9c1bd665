"""Whether a scene's pixels are as large on the ground as those a bundle was trained on."""

from typing import Final

from sscl_geo.bundle import Bundle
from sscl_geo.errors import BundleError
from sscl_geo.io.scene import Scene

TOLERANCE: Final = 0.05
"""Largest relative difference of pixel sizes that is let pass."""

_SPELLINGS: Final = {
    "meter": "metre",
    "m": "metre",
    "degrees_north": "degree",  # as the CF conventions and odc-geo name the unit of latitude
    "degrees_east": "degree",
}


def check_resolution(bundle: Bundle, scene: Scene) -> None:
    """Refuse a scene whose pixel size differs from the bundle's by more than 5 percent.

    Raises:
        BundleError: with both sizes.
    """
    if fits_resolution(bundle, scene):
        return
    width, height = scene.pixel_size
    unit, wanted_unit = unit_of(scene), length_unit(bundle.resolution_unit)
    wanted = f"{bundle.resolution[0]:g} x {bundle.resolution[1]:g}"
    raise BundleError(
        f"{scene.path} has pixels of {width:g} x {height:g} {unit} but the model was trained on "
        f"{wanted} {wanted_unit}; let the scene be read at this resolution with --resample, or "
        "give a scene that has it."
    )


def fits_resolution(bundle: Bundle, scene: Scene) -> bool:
    """Whether a scene's pixel size differs from the bundle's by no more than 5 percent."""
    width, height = scene.pixel_size
    ratios = (width / bundle.resolution[0], height / bundle.resolution[1])
    same_unit = unit_of(scene) == length_unit(bundle.resolution_unit)
    return same_unit and all(abs(ratio - 1) <= TOLERANCE for ratio in ratios)


def unit_of(scene: Scene) -> str:
    """Name of the unit of a scene's coordinate reference system, such as ``"metre"``."""
    crs = scene.geobox.crs
    return length_unit(crs.units[0]) if crs is not None else ""


def length_unit(unit: str) -> str:
    """The one name of a unit that libraries spell differently, such as ``"metre"``."""
    return _SPELLINGS.get(unit.lower(), unit.lower())
