# noqa: INP001 - mkdocs loads it by path
"""Formulas without a script, and references in docstrings as links."""

import re
from typing import Any

from latex2mathml.converter import convert

_BLOCK = re.compile(r"^```math\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"\$`([^`\n]+)`\$")
_ROLE = re.compile(r":(?:class|func|meth|attr|mod|data):<code>(~?)([\w.]+)</code>")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Turn formulas, written as GitHub reads them, into MathML, which browsers draw themselves."""
    markdown = _BLOCK.sub(
        lambda found: f"<div>{convert(found[1], display='block')}</div>", markdown
    )
    # Markdown takes <math> at the start of a line for a block of its own, <span> it does not.
    return _INLINE.sub(lambda found: f"<span>{convert(found[1])}</span>", markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Turn Sphinx's roles, which editors understand in docstrings, into links of the site."""

    def link(found: re.Match[str]) -> str:
        shown = found[2].rpartition(".")[2] if found[1] else found[2]
        return f'<autoref identifier="{found[2]}" optional><code>{shown}</code></autoref>'

    return _ROLE.sub(link, html)
