"""Class values as consecutive numbers, so that pairs of them can be counted in a small table."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sscl_geo.classes import HIGHEST_VALUE, NODATA, map_dtype, nodata_of
from sscl_geo.errors import SceneError

_UNKNOWN: Final = -1


class ValueCodes:
    """Codes of class values: 0 to 254 stand for themselves, higher values follow in order.

    Args:
        named: values that a class table or a legend names; of those from 255 up only these can
            occur. They decide whether 255 or 65535 marks pixels without data.

    Attributes:
        values: class value of each code, ascending.
    """

    def __init__(self, named: Iterable[int]) -> None:
        named = set(named)
        nodata = nodata_of(map_dtype(named))
        high = sorted(v for v in named if NODATA <= v <= HIGHEST_VALUE and v != nodata)
        self.values = np.array([*range(NODATA), *high])
        self._code_of = np.full(nodata_of("uint16") + 1, _UNKNOWN)
        self._code_of[self.values] = np.arange(len(self.values))
        self._code_of[[nodata, nodata_of("uint16")]] = self.nodata

    @property
    def nodata(self) -> int:
        """Code of pixels without data, above all others."""
        return len(self.values)

    def encode(self, values: NDArray[np.float32], path: str) -> NDArray[np.uint16]:
        """Codes of the values of a map.

        Args:
            values: class values; 255 (65535 where there are higher values) without data.
            path: the map, for messages.

        Raises:
            SceneError: if a value is no whole number, or not a class value.
        """
        bad = (values < 0) | (values >= len(self._code_of)) | (values != np.round(values))
        codes = self._code_of[np.where(bad, 0, values).astype(np.int64)]
        bad |= codes == _UNKNOWN
        if bad.any():
            raise SceneError(
                f"{path} holds the value {values[bad][0]:g}, which is no class value; give a map "
                f"of whole numbers from 0 to {NODATA - 1}, or name higher values in its legend."
            )
        return codes.astype(np.uint16)
