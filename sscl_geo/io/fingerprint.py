"""Telling whether the pixels of a scene may have changed, without reading them."""

import hashlib
import os
import stat
from pathlib import Path

import rasterio
from rasterio.errors import RasterioIOError

from sscl_geo.errors import SceneError
from sscl_geo.io.remote import is_remote, remote_env
from sscl_geo.io.scene import Scene


def fingerprint(scene: Scene) -> str:
    """Digest of all that the pixels and masks of a scene depend on.

    These are its description and the size and time of change of each local file that GDAL reads for
    it: the file itself, masks and side-cars beside it (``.msk``, ``.aux.xml``), the sources of a
    virtual raster, the cloud mask. Files on a server are taken to stay as they are.

    Args:
        scene: any scene.

    Raises:
        SceneError: if it cannot be opened any more.

    Example:
        >>> from sscl_geo.io.fingerprint import fingerprint
        >>> from sscl_geo.io.scene import open_scene
        >>> len(fingerprint(open_scene(scene_path)))
        64
    """
    files = _files(scene.source, scene.path)
    if scene.clouds is not None:
        files |= _files(scene.clouds.path, scene.clouds.path)
    told = [repr(scene), *(f"{name} {file_state(name)}" for name in sorted(files))]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def file_state(name: str) -> tuple[str, int, int] | None:
    """Full path, size and time of the last change of a local file, or of the archive it lies in.

    Args:
        name: a path, also of one of GDAL's virtual file systems.

    Returns:
        None for a file on a server, or one that does not exist.
    """
    if name.startswith("/vsi"):
        return None if is_remote(name) else _archive_state(Path(name))
    return _state(name)


def _archive_state(path: Path) -> tuple[str, int, int] | None:
    while path.parts[1:2] and path.parts[1].startswith("vsi"):
        inner = Path(*path.parts[2:])
        path = inner if inner.exists() else Path("/", *path.parts[2:])
    return next(filter(None, (_state(str(place)) for place in (path, *path.parents))), None)


def _state(name: str) -> tuple[str, int, int] | None:
    # A URL is no file either. Not pathlib's resolve, which asks for each folder on the way.
    try:
        status = os.stat(name)  # noqa: PTH116 - as above
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return os.path.abspath(name), status.st_size, status.st_mtime_ns  # noqa: PTH100


def _files(source: str, label: str) -> set[str]:
    """Files that GDAL reads for a raster, those of nested virtual rasters too."""
    found: set[str] = set()
    ahead = [source]
    while ahead:
        name = ahead.pop()
        try:
            with remote_env(name), rasterio.open(name) as opened:
                new = set(opened.files) - found
        except RasterioIOError as error:
            raise SceneError(
                f"Cannot open {label} any more; was it moved or deleted? ({error})"
            ) from error
        found |= new
        ahead += [file for file in new if file.lower().endswith(".vrt") and file != name]
    return found
