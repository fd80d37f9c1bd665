"""What a report page holds, free of HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sscl_geo.classes import ClassTable
from sscl_geo.report.figure import Chart
from sscl_geo.report.preview import Picture, encode_png


@dataclass(frozen=True)
class Text:
    """A paragraph; ``note`` sets it small and quiet."""

    text: str
    note: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells, all text.

    Attributes:
        header: titles of the columns.
        rows: cells of each row.
        text_columns: how many columns, from the first, hold words rather than numbers.
        caption: what the table says.
        colors: colour of a swatch before the first cell of each row, as ``#rrggbb``, or None.
        rules: rows above which a rule is drawn.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1
    caption: str = ""
    colors: Sequence[str | None] | None = None
    rules: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Image:
    """A picture with its caption.

    Attributes:
        data: bytes of a PNG or SVG file.
        caption: what one sees, read aloud in place of the picture.
        dark: the same for dark pages; ``data`` on both if None.
        pixels: True for pictures whose pixels shall stay sharp when enlarged.
    """

    data: bytes
    caption: str
    dark: bytes | None = None
    pixels: bool = False

    @classmethod
    def of_picture(cls, picture: Picture, caption: str) -> "Image":
        """Show an array of pixels."""
        return cls(encode_png(picture), caption, pixels=True)

    @classmethod
    def of_chart(cls, chart: Chart, caption: str) -> "Image":
        """Show a chart in the page's theme."""
        return cls(chart.light, caption, chart.dark)


@dataclass(frozen=True)
class Gallery:
    """Pictures beside each other where there is room.

    Attributes:
        images: the pictures.
        width: least width of each in rem; of a picture alone, its greatest width.
    """

    images: Sequence[Image]
    width: int = 18


@dataclass(frozen=True)
class Legend:
    """Names and colours of classes."""

    classes: ClassTable


@dataclass(frozen=True)
class Link:
    """A file beside the page.

    Attributes:
        path: relative to the page, with ``/``.
        note: what the file is.
    """

    path: str
    note: str


@dataclass(frozen=True)
class Links:
    """A list of files."""

    links: Sequence[Link]


Block = Text | Table | Gallery | Legend | Links


@dataclass(frozen=True)
class Section:
    """A titled part of a page."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A whole report.

    Attributes:
        title: heading.
        lead: one or two sentences below it.
        sections: parts, in order.
        footer: small print: licence, versions.
    """

    title: str
    lead: str
    sections: Sequence[Section]
    footer: Sequence[str] = field(default_factory=tuple)
