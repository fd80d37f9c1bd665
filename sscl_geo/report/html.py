"""A report page as one HTML file that needs nothing else.

Pictures are embedded, there are no scripts, and a content security policy keeps the page from
loading anything. Whatever comes from outside (names of files, classes and bands) is escaped.
"""

import os
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from sscl_geo.io.atomic import atomic_path
from sscl_geo.report.page import Block, Gallery, Image, Legend, Links, Page, Section, Table, Text

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_page(page: Page, path: str | os.PathLike[str]) -> Path:
    """Write a page as HTML; the file appears whole or not at all.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(render_page(page), encoding="utf-8")
    return Path(path)


def render_page(page: Page) -> str:
    """Return a page as the text of an HTML file."""
    style = files("sscl_geo.report").joinpath("page.css").read_text(encoding="utf-8")
    sections = "\n".join(_section(section) for section in page.sections)
    footer = "\n".join(f"<p>{escape(line)}</p>" for line in page.footer)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<title>{escape(page.title)}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{escape(page.title)}</h1>
<p class="lead">{escape(page.lead)}</p>
</header>
<main>
{sections}
</main>
<footer>
{footer}
</footer>
</body>
</html>
"""


def _section(section: Section) -> str:
    blocks = "\n".join(_block(block) for block in section.blocks)
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{blocks}\n</section>"


def _block(block: Block) -> str:
    match block:
        case Text(text, note):
            return f"<p{' class="note"' if note else ''}>{escape(text)}</p>"
        case Table():
            return "\n".join(_table(block))
        case Gallery(images, width):
            figures = "\n".join(_figure(image) for image in images)
            return f'<div class="gallery" style="--width: {int(width)}rem">\n{figures}\n</div>'
        case Legend(classes):
            items = "".join(
                f"<li>{_swatch(item.hex_color)}{escape(item.name)}</li>" for item in classes
            )
            return f'<ul class="legend">{items}</ul>'
        case Links(links):
            rows = "\n".join(
                f'<dt><a href="{escape(quote(link.path))}">{escape(link.path)}</a></dt>'
                f"<dd>{escape(link.note)}</dd>"
                for link in links
            )
            return f"<dl>\n{rows}\n</dl>"


def _table(table: Table) -> Iterator[str]:
    yield '<div class="scroll"><table>'
    if table.caption:
        yield f"<caption>{escape(table.caption)}</caption>"
    header = "".join(
        f'<th scope="col"{_align(i, table)}>{escape(title)}</th>'
        for i, title in enumerate(table.header)
    )
    yield f"<thead><tr>{header}</tr></thead><tbody>" if any(table.header) else "<tbody>"
    colors = table.colors or [None] * len(table.rows)
    for number, (row, color) in enumerate(zip(table.rows, colors, strict=True)):
        first, *rest = row
        cells = "".join(f"<td{_align(i, table)}>{escape(c)}</td>" for i, c in enumerate(rest, 1))
        rule = ' class="rule"' if number in table.rules else ""
        swatch = _swatch(color) if color else ""
        yield f'<tr{rule}><th scope="row">{swatch}{escape(first)}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _align(column: int, table: Table) -> str:
    return "" if column < table.text_columns else ' class="number"'


def _swatch(color: str) -> str:
    return f'<i style="background: {escape(color)}"></i>'


def _figure(image: Image) -> str:
    dark = (
        f'<source media="(prefers-color-scheme: dark)" srcset="{_data_uri(image.dark)}">'
        if image.dark
        else ""
    )
    sharp = ' class="pixels"' if image.pixels else ""
    caption = escape(image.caption)
    return (
        f'<figure><picture>{dark}<img{sharp} src="{_data_uri(image.data)}" alt="{caption}">'
        f"</picture><figcaption>{caption}</figcaption></figure>"
    )


def _data_uri(data: bytes) -> str:
    kind = "image/png" if data.startswith(b"\x89PNG") else "image/svg+xml"
    return f"data:{kind};base64,{b64encode(data).decode('ascii')}"
