"""The user's cache folder, and small results that are kept in it."""

import hashlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from sscl_geo.errors import OutputError
from sscl_geo.io.atomic import atomic_path


def cache_folder() -> Path:
    """Folder for what can be fetched again, as the platform has it.

    ``SSCL_GEO_CACHE`` overrides it. Otherwise: ``%LOCALAPPDATA%`` on Windows, ``~/Library/Caches``
    on macOS, ``$XDG_CACHE_HOME`` or ``~/.cache`` elsewhere (XDG Base Directory Specification,
    which tells to ignore a relative path). The folder is not made.
    """
    chosen = os.environ.get("SSCL_GEO_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(base) / "sscl-geo"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "sscl-geo"
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "sscl-geo"


def recall(kind: str, key: object) -> Any:
    """What :func:`remember` kept under a key; None if there is nothing, or the file is damaged.

    Args:
        kind: what it is, the name of a folder in the cache folder.
        key: anything that JSON can hold.
    """
    try:
        return json.loads(_file(kind, key).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def remember(kind: str, key: object, value: object) -> None:
    """Keep a value; where the cache folder cannot be written to it is simply not kept.

    Processes that keep the same key at once are safe: each writes a whole file, and the last one
    stays.

    Args:
        kind: as in :func:`recall`.
        key: as in :func:`recall`.
        value: anything that JSON can hold.
    """
    with suppress(OutputError), atomic_path(_file(kind, key)) as path:
        path.write_text(json.dumps(value), encoding="utf-8")


def _file(kind: str, key: object) -> Path:
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    return cache_folder() / kind / f"{name}.json"
