"""A terminal's window as SVG: its text is text, in columns also where the reader's font is wider or narrower. Pure."""

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from pictures import svg
from pictures.palette import Palette

CHARACTER, LINE = 8.4, 20.0  # pixels; a monospace font is about 0.6 wide
FONT_SIZE = 14
PADDING, BAR, MARGIN = 20.0, 38.0, 1.0
RADIUS = 10
CLASSES = {"default": "", "white": "", "black": "dim", "brown": "yellow"}  # others have the emulator's word


class Style(NamedTuple):
    """How characters look; colors are the emulator's words."""

    color: str = "default"
    is_bold: bool = False


class Span(NamedTuple):
    """Characters side by side that look alike."""

    column: int  # of the first, from 0
    text: str
    style: Style


Row = tuple[Span, ...]


def plain(row: Row) -> str:
    """The text of a row, without the spaces at its end."""
    line = ""
    for span in row:
        line = line.ljust(span.column) + span.text
    return line.rstrip()


def window(rows: Sequence[Row], *, title: str, description: str, columns: int, palette: Palette) -> str:
    """The picture of a window.

    rows: what is on the screen.  title: of the window.  description: what is to be seen, in words.
    columns: how wide the screen is.
    """
    width = columns * CHARACTER + 2 * (PADDING + MARGIN)
    height = BAR + len(rows) * LINE + 2 * PADDING + 2 * MARGIN
    top = MARGIN + BAR + PADDING
    lines = [_line(row, top + (number + 0.72) * LINE) for number, row in enumerate(rows) if row]
    return svg.document(
        [*_frame(width, height, title, palette), '<g xml:space="preserve">', *lines, "</g>"],
        width=width,
        height=height,
        title=title,
        description=description + "\n" + "\n".join(plain(row) for row in rows),
        css=_css(palette),
    )


def _frame(width: float, height: float, title: str, palette: Palette) -> list[str]:
    """The window itself, and its bar."""
    dots = "".join(
        svg.element("circle", cx=MARGIN + PADDING + 5 + 18 * n, cy=MARGIN + BAR / 2, r=5.5, fill=palette.border)
        for n in range(3)
    )
    under = MARGIN + BAR
    return [
        svg.element(
            "rect",
            x=MARGIN,
            y=MARGIN,
            width=width - 2 * MARGIN,
            height=height - 2 * MARGIN,
            rx=RADIUS,
            fill=palette.page,
            stroke=palette.border,
        ),
        svg.element("path", d=_bar(width), fill=palette.bar),
        svg.element("path", d=f"M{MARGIN:g} {under:g}H{width - MARGIN:g}", stroke=palette.border),
        dots,
        svg.text(title, width / 2, MARGIN + BAR / 2 + 4.5, class_="title", text_anchor="middle"),
    ]


def _bar(width: float) -> str:
    inner, edge = RADIUS - 0.5, MARGIN + 0.5
    right = width - edge
    return (
        f"M{edge:g} {MARGIN + BAR:g}V{edge + inner:g}a{inner:g} {inner:g} 0 0 1 {inner:g} {-inner:g}"
        f"H{right - inner:g}a{inner:g} {inner:g} 0 0 1 {inner:g} {inner:g}V{MARGIN + BAR:g}z"
    )


def _css(palette: Palette) -> list[str]:
    rules = [
        f"text {{ font: {FONT_SIZE}px {svg.MONOSPACE}; white-space: pre; fill: {palette.text} }}",
        f"text.title {{ font: 600 13px {svg.SANS}; fill: {palette.dim} }}",
        ".bold { font-weight: 700 }",
    ]
    return rules + [f".{name} {{ fill: {color} }}" for name, color in palette.text_colors().items() if name != "text"]


def _line(row: Row, y: float) -> str:
    return svg.element("text", "".join(map(_span, row)), y=y)


def _span(span: Span) -> str:
    """Characters that begin in their column, and are as wide as their columns."""
    place: dict[str, str | float] = {"x": PADDING + span.column * CHARACTER + MARGIN}
    if len(span.text) > 1:
        place |= {"textLength": len(span.text) * CHARACTER, "lengthAdjust": "spacingAndGlyphs"}
    color = span.style.color.removeprefix("bright")
    name = CLASSES.get(color, color)
    names = [name] * bool(name) + ["bold"] * span.style.is_bold
    if names:
        place["class_"] = " ".join(names)
    return svg.element("tspan", escape(span.text), **place)
