"""Telling whether the pixels of a scene may have changed, without reading them."""

import hashlib
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
    if is_remote(name):
        return None
    path = Path(name)
    while path.parts[1:2] and path.parts[1].startswith("vsi"):
        path = _below(path)
    for candidate in (path, *path.parents):
        if candidate.is_file():
            status = candidate.stat()
            return str(candidate.resolve()), status.st_size, status.st_mtime_ns
    return None


def _below(path: Path) -> Path:
    """A path of a virtual file system without the name of the system."""
    inner = Path(*path.parts[2:])
    return inner if inner.exists() else Path("/", *path.parts[2:])


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
