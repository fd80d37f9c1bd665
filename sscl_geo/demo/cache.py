"""The user's cache folder."""

import os
import sys
from pathlib import Path


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
