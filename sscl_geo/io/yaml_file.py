"""Reading YAML, and JSON, which is YAML too."""

import os
import re
from typing import TYPE_CHECKING, Final

from sscl_geo.errors import LabelError
from sscl_geo.io.text_file import read_text

if TYPE_CHECKING:
    import yaml

_OCTAL: Final = re.compile(r"[+-]?0[0-9_]+")


def read_yaml(path: str | os.PathLike[str], what: str) -> object:
    """Read a YAML file into plain values.

    What YAML itself takes in silence is refused where a line would be lost, or mean another number:
    keys that repeat, and numbers such as ``010``, which are octal.

    Args:
        path: the file.
        what: what it is, for messages, such as ``"class table"``.

    Raises:
        LabelError: if it is missing or no YAML, repeats a key, or has a number that starts with 0.
    """
    import yaml

    text = read_text(path, what)
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        known = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise LabelError(f"{path} cannot be read as YAML; correct it ({reason}).") from error
    if root is not None:
        _check(root, path)
    return known


def _check(root: "yaml.Node", path: str | os.PathLike[str]) -> None:
    """Refuse keys that repeat, and octal numbers."""
    import yaml

    nodes, seen = [root], set()
    while nodes:
        node = nodes.pop()
        if node in seen:  # an alias
            continue
        seen.add(node)
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            keys = [(key.tag, key.value) for key, _ in node.value]
            twice = next((name for tag, name in keys if keys.count((tag, name)) > 1), None)
            if twice is not None:
                raise LabelError(
                    f"{path} names {twice!r} twice in the mapping of line {line}; leave one."
                )
            nodes += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif node.tag.endswith(":int") and _OCTAL.fullmatch(node.value):
            raise LabelError(
                f"Line {line} of {path} has the number {node.value}, which YAML takes for octal; "
                "write it without the 0 in front, or in quotes."
            )
