# noqa: INP001 - griffe loads it by path
"""Examples in docstrings as code."""

from typing import Any

import griffe


class Examples(griffe.Extension):
    """Let griffe, which knows ``Examples:`` only, take ``Example:`` for the same section."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rename the section."""
        if obj.docstring:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
