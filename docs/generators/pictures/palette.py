"""The colors of pictures, light and dark, and their contrast."""

from typing import NamedTuple

MIN_CONTRAST = 4.5  # Source: WCAG 2.2, 1.4.3, for text of usual size


class Palette(NamedTuple):
    """Colors as #rrggbb; all but `page`, `bar`, `border` and `fills` are of text, on each of the first two."""

    name: str  # of the scheme: light, dark
    page: str  # behind the text
    bar: str  # behind a title
    border: str
    text: str
    dim: str
    red: str
    green: str
    yellow: str
    blue: str
    magenta: str
    cyan: str
    fills: tuple[str, ...]  # behind text of boxes

    def text_colors(self) -> dict[str, str]:
        """Every color of text by its name."""
        names = ("text", "dim", "red", "green", "yellow", "blue", "magenta", "cyan")
        return {name: str(getattr(self, name)) for name in names}


LIGHT = Palette(
    name="light",
    page="#ffffff",
    bar="#f3f5f8",
    border="#ccd3db",
    text="#1f2328",
    dim="#59636e",
    red="#c2202b",
    green="#136f2f",
    yellow="#8a5a00",
    blue="#0759ba",
    magenta="#7a3fd0",
    cyan="#0f6b72",
    fills=("#e4effc", "#e3f5e8", "#fff1d6", "#f2eafd", "#fde8e8"),
)
DARK = Palette(
    name="dark",
    page="#12171f",
    bar="#1d242e",
    border="#3a4450",
    text="#e3e9f0",
    dim="#9aa5b1",
    red="#ff8a80",
    green="#56d071",
    yellow="#e5b454",
    blue="#77b7ff",
    magenta="#c9a2ff",
    cyan="#56cfd8",
    fills=("#172b45", "#15321f", "#38290f", "#2b2142", "#3f1f20"),
)
PALETTES = (LIGHT, DARK)


def contrast(one: str, other: str) -> float:
    """The contrast of two colors, 1 to 21. Source: WCAG 2.2, "contrast ratio" and "relative luminance"."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
