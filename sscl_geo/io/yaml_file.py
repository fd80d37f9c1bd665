"""Reading YAML, and JSON, which is YAML too."""

import os
from pathlib import Path

from sscl_geo.errors import LabelError


def read_yaml(path: str | os.PathLike[str], what: str) -> object:
    """Read a YAML file into plain values.

    Args:
        path: the file.
        what: what it is, for messages, such as ``"class table"``.

    Raises:
        LabelError: if it is missing or no YAML.
    """
    import yaml

    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise LabelError(f"There is no {what} {path}; check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise LabelError(f"{path} cannot be read as YAML; correct it ({reason}).") from error
