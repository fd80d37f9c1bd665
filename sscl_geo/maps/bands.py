"""Which bands of a scene a network is given."""

from sscl_geo.errors import BandError
from sscl_geo.io.scene import Scene


def match_bands(scene: Scene, bands: tuple[str, ...]) -> tuple[str, ...] | None:
    """Find the bands of a network in a scene, by name where there are names, else by order.

    Bands are found by name when the scene names every one of them; it may then have more bands, in
    any order. They are taken in order when their number agrees and no name of the scene is known
    to the network, so that the names say nothing about the order. Numbered names such as
    ``band_1``, which stand for files that name no band, are no names here.

    Args:
        scene: the scene.
        bands: names of the bands that the network was trained on, in order.

    Returns:
        names of the scene's bands to read, or None for all of them in their order.

    Raises:
        BandError: if neither way is safe.
    """
    named = {b for i, b in enumerate(scene.bands, start=1) if b != f"band_{i}"}
    if named.issuperset(bands) and all(scene.bands.count(b) == 1 for b in bands):
        return bands
    if len(scene.bands) != len(bands):
        raise BandError(
            f"{scene.path} has {len(scene.bands)} bands but the model was trained on {len(bands)} "
            f"({', '.join(bands)}); give a scene with these bands in this order, or one that "
            "names its bands so."
        )
    if scene.bands != bands and named.intersection(bands):
        raise BandError(
            f"The bands of {scene.path} ({', '.join(scene.bands)}) are named otherwise than those "
            f"the model was trained on ({', '.join(bands)}), so their order is in doubt; correct "
            "the band names of the scene."
        )
    return None
