"""Finding the scenes that a path, a folder or a pattern names, and opening them."""

import glob
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sscl_geo.errors import SceneError, SkippedSceneWarning
from sscl_geo.io.cloud_mask import CloudMask
from sscl_geo.io.remote import is_remote
from sscl_geo.io.scene import Scene

RASTER_SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".img", ".png", ".nc", ".hdf")
"""Suffixes looked for in a folder; a file that is named outright may have any."""

_OPENING_THREADS = 16


def find_scenes(
    paths: Iterable[str | os.PathLike[str]], clouds: CloudMask | None = None
) -> list[str]:
    """Expand files, folders and patterns to a list of files, sorted within each.

    URLs and names of GDAL's virtual file systems and subdatasets stay as they are.

    Args:
        paths: files, folders, patterns (``scenes/*.tif``), or anything that GDAL opens.
        clouds: the scenes' cloud mask, whose files are no scenes.

    Returns:
        file names, each once.

    Raises:
        SceneError: if nothing is found.
    """
    paths = [os.fspath(p) for p in paths]
    found: list[str] = []
    for path in paths:
        if Path(path).is_dir():
            found += sorted(
                str(p) for p in Path(path).rglob("*") if p.suffix.lower() in RASTER_SUFFIXES
            )
        elif _is_pattern(path):
            found += sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - patterns may be absolute
        else:
            found.append(path)
    if not found:
        raise SceneError(
            f"No raster found at {', '.join(paths) or 'an empty list of paths'}; "
            "give a file, a folder or a pattern."
        )
    masks = set() if clouds is None else {clouds.path_for(path) for path in found}
    return [path for path in dict.fromkeys(found) if path not in masks]


def _is_pattern(path: str) -> bool:
    """True for ``scenes/*.tif``, not for a URL with a query or a file with brackets in its name."""
    named = is_remote(path) or path.startswith("/vsi") or Path(path).exists()
    return not named and any(c in path for c in "*?[")


def open_all(tasks: Sequence[Callable[[], Scene]], *, strict: bool) -> tuple[Scene, ...]:
    """Open many scenes at once, and leave out those that cannot be opened.

    Args:
        tasks: functions that open one scene each.
        strict: True makes a scene that cannot be opened an error.

    Returns:
        the scenes, in the order of the tasks.

    Raises:
        SceneError: if, with ``strict``, a scene cannot be opened, or if none can.

    Warns:
        SkippedSceneWarning: for each scene that is left out, with the reason.
    """

    def attempt(task: Callable[[], Scene]) -> Scene | SceneError:
        try:
            return task()
        except SceneError as error:
            return error

    with ThreadPoolExecutor(_OPENING_THREADS) as pool:
        results = list(pool.map(attempt, tasks))
    failures = [r for r in results if isinstance(r, SceneError)]
    if failures and (strict or len(failures) == len(results)):
        raise failures[0]
    for failure in failures:
        warnings.warn(f"Left out: {failure}", SkippedSceneWarning, stacklevel=3)
    return tuple(r for r in results if isinstance(r, Scene))
