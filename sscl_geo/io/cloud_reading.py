"""Reading a cloud mask on the grid of its scene."""

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

from sscl_geo.errors import SceneError
from sscl_geo.geometry.affine import matrix_from_affine, view_to_view
from sscl_geo.geometry.grid import grid_shape
from sscl_geo.io.cloud_mask import CloudMaskBand
from sscl_geo.io.handle import RasterHandle
from sscl_geo.io.remote import remote_env, without_query
from sscl_geo.io.scene import Scene


class CloudMaskReader:
    """Reads the cloud mask of a scene by windows of the scene; for one thread at a time.

    A pixel of the scene takes the value of the mask's pixel that its centre lies in, whatever the
    resolution, shift or rotation of the mask's grid. Pixels beyond the mask are not valid: nothing
    is known of them.

    Args:
        scene: a scene with a cloud mask.
        clouds: where its mask lies.
    """

    def __init__(self, scene: Scene, clouds: CloudMaskBand) -> None:
        self.clouds = clouds
        self._own_file = clouds.path == scene.source
        self._handle = RasterHandle(clouds.path, without_query(clouds.path))
        self._to_mask = view_to_view(
            matrix_from_affine(scene.geobox.affine), matrix_from_affine(clouds.geobox.affine)
        )

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        self._handle.close()

    def valid(
        self,
        row: int,
        col: int,
        height: int,
        width: int,
        source: rasterio.DatasetReader | None = None,
    ) -> NDArray[np.bool_]:
        """Which pixels of a window of the scene are clear.

        Args:
            row: first row in the scene.
            col: first column in the scene.
            height: number of rows.
            width: number of columns.
            source: the open scene, so that a mask in its own file needs no second handle.

        Returns:
            bool of shape (height, width).

        Raises:
            SceneError: if the mask cannot be read.
        """
        cols, rows = self._mask_pixels(row, col, height, width)
        mask_height, mask_width = grid_shape(self.clouds.geobox)
        inside = (rows >= 0) & (rows < mask_height) & (cols >= 0) & (cols < mask_width)
        if not inside.any():
            return np.zeros((height, width), dtype=bool)
        rows, cols = np.clip(rows, 0, mask_height - 1), np.clip(cols, 0, mask_width - 1)
        top, left = int(rows.min()), int(cols.min())
        pixels = self._read(
            Window.from_slices((top, int(rows.max()) + 1), (left, int(cols.max()) + 1)),
            source if self._own_file else None,
        )
        return inside & self.clouds.rule.is_clear(pixels)[rows - top, cols - left]

    def _mask_pixels(
        self, row: int, col: int, height: int, width: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Columns and rows of the mask under a window's pixels, of shapes that broadcast."""
        (a, b, c), (d, e, f) = self._to_mask.tolist()
        x = col + np.arange(width)[None, :] + 0.5
        y = row + np.arange(height)[:, None] + 0.5
        # Where the grids are parallel one row and one column say all.
        cols = a * x + c if b == 0 else a * x + b * y + c
        rows = e * y + f if d == 0 else d * x + e * y + f
        # A centre on the edge of two pixels belongs to the later one, in spite of rounding.
        return _floor(cols), _floor(rows)

    def _read(self, window: Window, source: rasterio.DatasetReader | None) -> NDArray[np.integer]:
        source = self._handle.open() if source is None else source
        try:
            with remote_env(self.clouds.path):
                return source.read(self.clouds.index, window=window)
        except RasterioIOError as error:
            raise SceneError(
                f"Cannot decode the cloud mask {self._handle.label}; the file seems damaged, fetch "
                f"or write it again ({error})."
            ) from error


def _floor(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.floor(values + 1e-6).astype(np.int64)
