"""How GDAL is to read files that lie on a server."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import rasterio
import rasterio.env

_LISTING = "GDAL_DISABLE_READDIR_ON_OPEN"
_NO_SIDE_CARS = "EMPTY_DIR"
_OPTIONS = {
    # Nothing but the file itself: GDAL would otherwise list its folder and ask for side-cars.
    _LISTING: _NO_SIDE_CARS,
    # The header of most Cloud Optimized GeoTIFFs in one request.
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    # Servers answer 429, 502 and 503 under load, and connections break in a long training.
    "GDAL_HTTP_MAX_RETRY": "4",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    # A connection that gives less than a byte a second for a minute is dead; GDAL waits for ever.
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
    "GDAL_HTTP_LOW_SPEED_TIME": "60",
}
_LOCAL_OPTIONS = {_LISTING: "TRUE"}
_LOCAL = "file://"
_VIRTUAL_SYSTEMS = {
    "http://": "/vsicurl/",
    "https://": "/vsicurl/",
    "ftp://": "/vsicurl/",
    "s3://": "/vsis3/",
    "gs://": "/vsigs/",
    "az://": "/vsiaz/",
    "oss://": "/vsioss/",
    _LOCAL: "",
}
# Without its last slash: /vsicurl?option=... and /vsis3_streaming/ are remote as well.
_REMOTE = tuple(
    part
    for scheme, system in _VIRTUAL_SYSTEMS.items()
    if scheme != _LOCAL
    for part in (scheme, system.removesuffix("/"))
)


def is_remote(path: str) -> bool:
    """True if GDAL reads a path over the network, for a URL or one within another name.

    Example:
        >>> from sscl_geo.io.remote import is_remote
        >>> is_remote("s3://bucket/a.tif"), is_remote("/data/a.tif")
        (True, False)
    """
    return any(part in path for part in _REMOTE)


def remote_env(path: str) -> AbstractContextManager[object]:
    """GDAL's options for opening and reading a path, to be used in a ``with`` statement.

    For a local file they are those of :func:`side_car_env`. For one on a server side-car files
    (``.msk``, ``.ovr``, ``.aux.xml``) are not looked for, since each costs requests; failed
    requests are repeated, and dead connections given up. Options that are set in the environment or
    by :class:`rasterio.Env` stay as they are; credentials are GDAL's and rasterio's own matter
    (``AWS_...`` variables, ``AWS_NO_SIGN_REQUEST=YES`` for public buckets).

    Args:
        path: file name, URL or any name that GDAL opens.
    """
    return _unless_set(_OPTIONS) if is_remote(path) else side_car_env(path)


def side_car_env(path: str | os.PathLike[str]) -> AbstractContextManager[object]:
    """Let GDAL look for side-cars of a local file, even where the environment says otherwise.

    ``torchgeo fit`` sets for the whole process what is good for servers: masks, band names and
    class names beside local files would then be lost without a word.

    Args:
        path: file name, URL or any name that GDAL opens.
    """
    off = not is_remote(os.fspath(path)) and _are_side_cars_off()
    return rasterio.Env(**{_LISTING: "FALSE"}) if off else nullcontext()


def opening_env(path: str) -> AbstractContextManager[object]:
    """GDAL's options for opening a path: those of :func:`remote_env`, and one for local files.

    GDAL lists the folder of each file that it opens, to see which side-cars there are. In a folder
    of thousands of scenes that takes longer than all else; asked for by name they are found as
    well.

    Args:
        path: file name, URL or any name that GDAL opens.
    """
    if not is_remote(path) and _are_side_cars_off():
        return rasterio.Env(**_LOCAL_OPTIONS)
    return _unless_set(_OPTIONS if is_remote(path) else _LOCAL_OPTIONS)


def _are_side_cars_off() -> bool:
    present = _present()
    return str(present.get(_LISTING, os.environ.get(_LISTING))).upper() == _NO_SIDE_CARS


def _present() -> Mapping[str, object]:
    """Options of the surrounding :class:`rasterio.Env`."""
    return rasterio.env.getenv() if rasterio.env.hasenv() else {}


def _unless_set(options: Mapping[str, str]) -> rasterio.Env:
    present = _present()
    return rasterio.Env(
        **{k: v for k, v in options.items() if k not in os.environ and k not in present}
    )


def without_query(path: str) -> str:
    """A URL without its query, which often holds a signature that no log should show."""
    return path.partition("?")[0] if is_remote(path) else path


def gdal_path(path: str) -> str:
    """The name by which GDAL itself knows a URL; any other path as it is.

    Example:
        >>> from sscl_geo.io.remote import gdal_path
        >>> gdal_path("https://host/a.tif?signature=1"), gdal_path("s3://bucket/a.tif")
        ('/vsicurl/https://host/a.tif?signature=1', '/vsis3/bucket/a.tif')
    """
    for scheme, system in _VIRTUAL_SYSTEMS.items():
        if path.startswith(scheme):
            return system + (path if system == "/vsicurl/" else path.removeprefix(scheme))
    return path
