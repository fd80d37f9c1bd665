"""Which pixels a satellite product calls cloudy, shadowed or missing, and where it says so."""

import re
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from sscl_geo.errors import ConfigError, SceneError


@dataclass(frozen=True)
class CloudMask:
    r"""A rule that turns a band of classes or bits into valid and invalid pixels.

    The band lies in the scene's own file, where it is then no image band, or in another file of
    the same coordinate reference system, on any grid.

    Args:
        values: values that mean invalid.
        bits: bits, from 0 for the lowest, any of which means invalid.
        band: name or number (from 1) of the band; for a mask in another file the first if None.
        beside: ways to find the other file, as pairs of a regular expression over the path of the
            scene and what replaces the match, in the syntax of :func:`re.sub`; the first that
            matches counts. Empty for a band in the scene's own file.

    Raises:
        ConfigError: if nothing is invalid, no place is given, or an expression cannot be read.

    Example:
        >>> from sscl_geo import CloudMask
        >>> CloudMask.sentinel2_scl().path_for("T12SUG_20200518T181921_B04.tif")
        'T12SUG_20200518T181921_SCL.tif'
        >>> mask = CloudMask(values=frozenset({1}), beside=((r"\.tif$", "_cloud.tif"),))
        >>> mask.path_for("scene.tif")
        'scene_cloud.tif'
    """

    values: frozenset[int] = frozenset()
    bits: frozenset[int] = frozenset()
    band: str | int | None = None
    beside: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.values and not self.bits:
            raise ConfigError("A cloud mask without values and bits masks nothing; give either.")
        if self.band is None and not self.beside:
            raise ConfigError(
                "A cloud mask needs a place: give band for a band of the scene's own file, or "
                "beside for another file."
            )
        if any(not 0 <= bit < 64 for bit in self.bits):
            raise ConfigError("Bits of a cloud mask are counted from 0 to 63; mend bits.")
        for pattern, _ in self.beside:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ConfigError(
                    f"{pattern!r} of a cloud mask is no regular expression ({error}); mend it."
                ) from error

    @classmethod
    def sentinel2_scl(cls, band: str | int | None = None) -> Self:
        """Scene classification of Sentinel-2 Level-2A (Sen2Cor).

        Invalid are 0 no data, 1 saturated or defective, 3 cloud shadow, 8 and 9 cloud of medium and
        high probability, and 10 thin cirrus (Sentinel-2 Products Specification Document).

        Args:
            band: name or number of the band if the scene's own file, or a STAC asset, holds it;
                otherwise the file is looked for beside the scene: ``_SCL`` for ``_B04``, and in
                the folder R20m of a SAFE product.
        """
        classes = frozenset({0, 1, 3, 8, 9, 10})
        images = r"(?:B\d[\dA]|TCI|AOT|WVP)"
        files = (
            (rf"R\d0m([/\\][^/\\]*)_{images}_\d0m\.(\w+)$", r"R20m\1_SCL_20m.\2"),
            (rf"(^|[_/\\]){images}\.(\w+)(?=$|\?)", r"\1SCL.\2"),
        )
        return cls(values=classes, band=band, beside=() if band is not None else files)

    @classmethod
    def landsat_qa(cls, band: str | int | None = None) -> Self:
        """Pixel quality band QA_PIXEL of Landsat Collection 2.

        Invalid are bits 0 fill, 1 dilated cloud, 2 cirrus, 3 cloud and 4 cloud shadow (Landsat
        Collection 2 Quality Assessment Bands, USGS).

        Args:
            band: name or number of the band if the scene's own file, or a STAC asset, holds it;
                otherwise the file is looked for beside the scene: ``_QA_PIXEL`` for ``_SR_B4``.
        """
        files = ((r"_(?:SR_|ST_)?B\d+\.(\w+)(?=$|\?)", r"_QA_PIXEL.\1"),)
        return cls(
            bits=frozenset({0, 1, 2, 3, 4}), band=band, beside=() if band is not None else files
        )

    def path_for(self, scene_path: str) -> str | None:
        """Path of the mask of a scene; None if its name does not have the form of one."""
        for pattern, replacement in self.beside:
            if re.search(pattern, scene_path):
                return re.sub(pattern, replacement, scene_path, count=1)
        return None

    def is_clear(self, pixels: NDArray[np.integer]) -> NDArray[np.bool_]:
        """True where pixels of the band are neither of an invalid value nor have an invalid bit.

        Args:
            pixels: the band, of any integer type and shape.
        """
        clear = np.ones(pixels.shape, dtype=bool)
        if self.values:
            clear &= ~np.isin(pixels, list(self.values))
        flags = sum(1 << bit for bit in self.bits)
        # Bits beyond the type of the band are never set.
        flags &= (1 << pixels.dtype.itemsize * 8) - 1
        if flags:
            unsigned = pixels.view(f"u{pixels.dtype.itemsize}")
            clear &= unsigned & unsigned.dtype.type(flags) == 0
        return clear

    def number_among(self, path: str, descriptions: tuple[str | None, ...]) -> int:
        """Number (from 1) of the band in a file.

        Args:
            path: the file, for the message.
            descriptions: names of its bands; ``band_1`` and so on where there is none.

        Raises:
            SceneError: if the file has no such band.
        """
        names = tuple(name or f"band_{i}" for i, name in enumerate(descriptions, 1))
        band = 1 if self.band is None else self.band
        if isinstance(band, int) and 1 <= band <= len(names):
            return band
        if band in names:
            return names.index(str(band)) + 1
        raise SceneError(
            f"{path} has no band {band} for the cloud mask; it has {', '.join(names)}: choose "
            "among these."
        )


@dataclass(frozen=True)
class CloudMaskBand:
    """Where the cloud mask of one scene lies.

    Attributes:
        path: what GDAL opens; the scene's own ``source`` for a band of its own file.
        index: number of the band (from 1).
        geobox: its pixel grid.
        rule: which of its pixels are invalid.
    """

    path: str
    index: int
    geobox: GeoBox
    rule: CloudMask
