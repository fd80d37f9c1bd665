"""One sentence for every way in which GDAL says that it could not write."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from rasterio._err import CPLE_BaseError  # ty: ignore[import-not-found] - compiled
from rasterio.errors import RasterioError

from sscl_geo.errors import OutputError


@contextmanager
def writing_into(folder: Path) -> Generator[None]:
    """Turn what rasterio and GDAL raise when they cannot write into one error.

    Args:
        folder: where files are written, to be named to the user.

    Raises:
        OutputError: in place of their errors.
    """
    try:
        yield
    # rasterio.shutil.copy() lets GDAL's own errors through, which have no public name.
    except (OSError, RasterioError, CPLE_BaseError) as error:
        reason = getattr(error, "strerror", None) or error.__cause__ or error
        raise OutputError(
            f"Cannot write into {folder}: {reason}; "
            "choose a folder with free space that you may write to."
        ) from error
