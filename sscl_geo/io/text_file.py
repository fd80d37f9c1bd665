"""Reading small text files that people write."""

import os
from pathlib import Path

from sscl_geo.errors import LabelError


def read_text(path: str | os.PathLike[str], what: str) -> str:
    """Read a text file in UTF-8.

    Args:
        path: the file.
        what: what it is, for messages, such as ``"class table"``.

    Raises:
        LabelError: if it is missing, cannot be read, or has another encoding.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise LabelError(f"There is no {what} {path}; check the path.") from error
    except OSError as error:
        raise LabelError(
            f"The {what} {path} cannot be read; give a file ({error.strerror})."
        ) from error
    except UnicodeDecodeError as error:
        raise LabelError(
            f"The {what} {path} is no text in UTF-8; save it in that encoding ({error})."
        ) from error
