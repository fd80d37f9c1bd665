"""Label rasters whose three bands are the colours of the classes, as ISPRS publishes them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sscl_geo.classes import ClassTable
from sscl_geo.errors import LabelError
from sscl_geo.io.reading import RawPatch

_TOLERANCE = 32
_MOST_STRANGE = 0.1


@dataclass(frozen=True)
class ColorCodes:
    """Class values from colours.

    A pixel has the class whose colour is nearest, if no channel differs by more than 32: files that
    were compressed with losses hold thousands of colours. Others have no label, such as the black
    of eroded boundaries.

    Attributes:
        classes: the classes and their colours.
        path: the raster, for messages.
    """

    classes: ClassTable
    path: str

    def decode(self, patch: RawPatch) -> RawPatch:
        """Class values of pixels.

        Args:
            patch: red, green and blue, uint8 of shape (3, height, width).

        Returns:
            ``classes.dtype`` of shape (1, height, width), not valid where there is no label.

        Raises:
            LabelError: if many colours are neither those of classes nor black, as in a photograph.
        """
        pixels = patch.pixels.astype(np.int16)
        nodata = self.classes.nodata
        values = np.full(pixels.shape[1:], nodata, self.classes.dtype)
        nearest = np.full(values.shape, _TOLERANCE + 1, np.int16)
        for item in self.classes:
            distance = _distance(pixels, item.color)
            closer = distance < nearest
            values[closer], nearest[closer] = item.value, distance[closer]
        labelled = patch.valid & (values != nodata)
        strange = patch.valid & ~labelled & (_distance(pixels, (0, 0, 0)) > _TOLERANCE)
        if strange.sum() > _MOST_STRANGE * patch.valid.sum():
            self._refuse(patch.pixels[:, strange])
        return RawPatch(values[None], labelled)

    def _refuse(self, colors: NDArray[np.generic]) -> None:
        found, counts = np.unique(colors, axis=1, return_counts=True)
        most = "#{:02x}{:02x}{:02x}".format(*found[:, counts.argmax()].tolist())
        known = ", ".join(f"{c.hex_color} {c.name}" for c in self.classes)
        raise LabelError(
            f"{self.path} holds the colour {most}, which no class has ({known}); give labels, not "
            "an image, and their colours in the class table."
        )


def _distance(pixels: NDArray[np.int16], color: tuple[int, int, int]) -> NDArray[np.int16]:
    """Greatest difference of a channel."""
    return np.abs(pixels - np.array(color, np.int16)[:, None, None]).max(axis=0)
