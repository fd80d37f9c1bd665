"""What fine-tuning begins with: an encoder that fits the scenes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from sscl_geo.bundle import Bundle, load_bundle
from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.errors import UnitsError
from sscl_geo.io.units import BandUnits, differing_scene

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class EncoderStart:
    """An encoder with what of the scenes it reads.

    Attributes:
        bundle: the encoder, its statistics in the units of the scenes; None for random weights.
        bands: names of the bands to read; all if None.
    """

    bundle: Bundle | None
    bands: Sequence[str] | None

    @classmethod
    def on(
        cls,
        scenes: Sequence[StrPath],
        encoder: Bundle | StrPath | None,
        bands: Sequence[str] | None = None,
        *,
        any_units: bool = False,
    ) -> "EncoderStart":
        """Choose the bands, by name where the scenes have those of the encoder, and the units.

        Args:
            scenes: files, folders or patterns.
            encoder: bundle of an encoder, or None.
            bands: names of the bands; those of the encoder, or all, if None.
            any_units: take the numbers of scenes as they are.

        Raises:
            BundleError: if the file is no encoder's bundle.
            BandError: if the encoder takes other bands.
            UnitsError: if it is not told how the units of scenes and encoder compare.
        """
        if encoder is None:
            return cls(None, bands)
        if not isinstance(encoder, Bundle):
            encoder = load_bundle(encoder, kind="encoder")
        dataset = SceneDataset(scenes, bands)
        by_name = bands is None and set(encoder.bands) <= set(dataset.bands)
        chosen = encoder.bands if by_name else bands
        encoder.check_bands(tuple(chosen or dataset.bands), dataset.scenes[0].path)
        if encoder.units is None or any_units:
            return cls(encoder, chosen)
        dataset = SceneDataset(scenes, chosen)
        first, other = dataset.scenes[0], differing_scene(dataset.scenes, chosen)
        if other is not None:
            raise UnitsError(
                f"{other.path} is in other units than {first.path}, so the encoder's statistics "
                "cannot be right for both; fine-tune on scenes of one pixel type, scale and offset."
            )
        return cls(encoder.in_units(BandUnits.of(first, chosen), first.path), chosen)
