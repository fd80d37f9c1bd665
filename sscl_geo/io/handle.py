"""An open raster that survives forks and pickling."""

import os

import rasterio
from rasterio.errors import RasterioIOError

from sscl_geo.errors import SceneError
from sscl_geo.io.remote import opening_env


class RasterHandle:
    """Opens a raster at first use, and again in a process that was forked since.

    A GDAL handle that two processes share returns wrong pixels without an error. A pickled handle
    is closed. For one thread at a time.

    Args:
        source: file name, URL or any name that GDAL opens.
        label: what messages call it; ``source`` if None.
    """

    def __init__(self, source: str, label: str | None = None) -> None:
        self.source = source
        self.label = source if label is None else label
        self._dataset: rasterio.DatasetReader | None = None
        self._process = -1

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_dataset": None, "_process": -1}

    def open(self) -> rasterio.DatasetReader:
        """The open dataset of this process.

        Raises:
            SceneError: if it cannot be opened any more.
        """
        if self._dataset is None or self._process != os.getpid():
            try:
                # sharing=False: GDAL would otherwise hand the same handle to another thread.
                with opening_env(self.source):
                    self._dataset = rasterio.open(self.source, sharing=False)
            except RasterioIOError as error:
                message = str(error).replace(self.source, self.label)
                raise SceneError(
                    f"Cannot open {self.label} any more; was it moved or deleted? ({message})"
                ) from error
            self._process = os.getpid()
        return self._dataset

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._dataset is not None and self._process == os.getpid():
            self._dataset.close()
        self._dataset = None
