"""Drawing with matplotlib without its global state: no pyplot, nothing to close."""

import logging
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

from sscl_geo.errors import MissingFontWarning


@dataclass(frozen=True)
class Theme:
    """Colours of a chart on a light or on a dark page.

    Attributes:
        ink: text and the first curve.
        muted: axes, ticks and notes.
        rule: grid lines.
        page: colour behind the chart, for what must stand out from it.
        curves: colours of curves, in the order of use.
        ramp: colours from nothing, near that of the page, to everything.
    """

    ink: str
    muted: str
    rule: str
    page: str
    curves: tuple[str, ...]
    ramp: tuple[str, ...]


LIGHT = Theme(
    ink="#1c2024",
    muted="#666e76",
    rule="#e3e6e8",
    page="#ffffff",
    curves=("#1c2024", "#2f6db0", "#b8622a", "#3c8450", "#7d55a0"),
    ramp=("#f6f9fc", "#8fb8de", "#1d5a9c"),
)
DARK = Theme(
    ink="#e8eaec",
    muted="#98a0a8",
    rule="#33383d",
    page="#15181b",
    curves=("#e8eaec", "#6fa8e6", "#e59a5f", "#78c08c", "#b692d6"),
    ramp=("#1c2126", "#2f5f92", "#a5cdf5"),
)

NEUTRAL_INK = "#80868c"
"""Readable on light and on dark pages alike, for pictures that come in one version."""

_FONTS = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"


_FALLBACKS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "Noto Sans",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
)
"""Fonts of systems with letters that matplotlib's own lacks, as in Chinese names of classes."""


def new_figure(width: float, height: float, compress: bool = False) -> Figure:
    """Return an empty figure with a clear background, sizes in inches.

    Args:
        width: largest width.
        height: largest height.
        compress: move pictures of fixed shape together, up to a thin gap.
    """
    layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0, hspace=0, compress=compress)
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    figure.patch.set_alpha(0)
    return figure


def dress(axes: Axes, theme: Theme) -> None:
    """Give axes of a chart the quiet look: two thin spines, faint horizontal rules."""
    axes.patch.set_alpha(0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set(color=theme.rule, linewidth=0.8)
    axes.tick_params(colors=theme.muted, labelsize=8, length=0, pad=4)
    axes.grid(axis="y", color=theme.rule, linewidth=0.8)
    axes.set_axisbelow(True)


def to_png(figure: Figure, dpi: int = 200) -> bytes:
    """Return a figure as the bytes of a PNG file.

    Warns:
        MissingFontWarning: if no installed font has the letters of a text.
    """
    texts = [text for text in figure.findobj(Text) if not text.get_text().isascii()]
    for text in texts:
        text.set_fontfamily(["DejaVu Sans", *_installed_fallbacks()])
    buffer = BytesIO()
    with _without_log(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(
            buffer,
            format="png",
            dpi=dpi,
            bbox_inches="tight",
            pad_inches=0.06,
            metadata={"Software": None},
        )
    for warning in caught:
        if "missing from font" not in str(warning.message):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    if any("missing from font" in str(warning.message) for warning in caught):
        warnings.warn(
            "No installed font has all letters of the names in a picture, which shows boxes in "
            "their place; install one that does, such as Noto Sans CJK.",
            MissingFontWarning,
            stacklevel=2,
        )
    return buffer.getvalue()


def to_svg(figure: Figure) -> bytes:
    """Return a figure as the bytes of an SVG file, its text as text in the reader's own font."""
    buffer = BytesIO()
    text_as_text = mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sscl-geo"})
    with text_as_text, warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing")  # the reader's font has it
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().replace(b"'DejaVu Sans'", _FONTS.encode())


@dataclass(frozen=True)
class Chart:
    """The same drawing for light and for dark pages, as SVG files."""

    light: bytes
    dark: bytes

    @classmethod
    def draw(cls, make: Callable[[Theme], Figure]) -> "Chart":
        """Draw with ``make`` in both themes."""
        return cls(to_svg(make(LIGHT)), to_svg(make(DARK)))


@contextmanager
def _without_log() -> Generator[None]:
    """Do not log what is not quite as asked for, such as a weight that a font lacks."""
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@cache
def _installed_fallbacks() -> tuple[str, ...]:
    installed = set(font_manager.get_font_names())
    return tuple(name for name in _FALLBACKS if name in installed)
