"""Files that appear whole or not at all."""

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from sscl_geo.errors import OutputError


def partial_path(final: Path) -> Path:
    """Name of a temporary file beside ``final``, with the same suffix, unique to this call.

    The suffix is kept because GDAL and OGR choose drivers, and sidecar names, by it.
    """
    return final.with_name(
        f".{final.stem}.{os.getpid()}-{secrets.token_hex(3)}.partial{final.suffix}"
    )


def sync(path: Path) -> None:
    """Flush a file or a folder entry to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(temporary: Path, final: Path) -> None:
    """Give a finished temporary file its final name, durably.

    Args:
        temporary: complete file in the folder of ``final``.
        final: name that readers will see; replaced in one step when it exists.
    """
    sync(temporary)
    temporary.replace(final)
    sync(final.parent)


@contextmanager
def atomic_path(final: str | os.PathLike[str]) -> Generator[Path]:
    r"""Write a file so that nobody ever sees half of it.

    Yields the path of a temporary file in the same folder. When the block ends without an error
    the file is flushed to the disk and renamed to ``final``; otherwise it is removed and whatever
    stood under ``final`` before stays untouched.

    Args:
        final: where the result shall stand.

    Yields:
        path to write to; the suffix is that of ``final``.

    Raises:
        OutputError: if the folder cannot be made or written to, or the disk is full.

    Example:
        >>> from sscl_geo.io.atomic import atomic_path
        >>> with atomic_path(tmp_path / "classes.csv") as path:
        ...     _ = path.write_text("value,name\n1,water\n")
    """
    final = Path(final)
    ensure_folder(final.parent)
    temporary = partial_path(final)
    try:
        yield temporary
        publish(temporary, final)
    except OSError as error:
        raise OutputError(
            f"Cannot write {final}: {error.strerror or error}; "
            "choose a folder with free space that you may write to."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def ensure_folder(folder: str | os.PathLike[str]) -> Path:
    """Make a folder, with its parents, and check that files can be written into it.

    Raises:
        OutputError: if it cannot be made or is not writable.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{secrets.token_hex(6)}.probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"Cannot write into {folder}: {error.strerror or error}; "
            "choose a folder with free space that you may write to."
        ) from error
    return folder
