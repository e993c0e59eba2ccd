"""Writes SVG: elements, and documents that need nothing else to be seen. Pure; the same values give the same bytes."""

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

MONOSPACE = (
    "ui-monospace, 'SF Mono', Menlo, 'Cascadia Mono', Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
)
SANS = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', 'Liberation Sans', sans-serif"


def element(name: str, content: str | None = None, **attributes: str | float) -> str:
    """An element; in names of attributes an underscore stands for a dash. content: SVG; None: it has none."""
    given = "".join(f" {_attribute(key)}={quoteattr(_shown(value))}" for key, value in attributes.items())
    return f"<{name}{given}/>" if content is None else f"<{name}{given}>{content}</{name}>"


def document(
    parts: Iterable[str], *, width: float, height: float, title: str, description: str, css: Iterable[str]
) -> str:
    """A whole picture.

    parts: its elements, a line for each.  width, height: in pixels, where it is not scaled.
    title: what it is.  description: what can be read in it, for those who do not see it.  css: rules.
    """
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_shown(width)}" height="{_shown(height)}"'
        f' viewBox="0 0 {_shown(width)} {_shown(height)}" role="img" aria-labelledby="title description">'
    )
    texts = [
        element("title", escape(title), id="title"),
        element("desc", escape(description), id="description"),
        element("style", "".join(f"\n{rule}" for rule in css) + "\n"),
    ]
    return "\n".join([head, *texts, *parts, "</svg>\n"])


def text(content: str, x: float, y: float, **attributes: str | float) -> str:
    """A line of text."""
    return element("text", escape(content), x=x, y=y, **attributes)


def _attribute(key: str) -> str:
    return "class" if key == "class_" else key.replace("_", "-")


def _shown(value: str | float) -> str:
    """A number without what says nothing: 20, 8.4."""
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
