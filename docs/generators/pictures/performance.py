"""The plots of docs/performance.md: bars of the committed figures, docs/performance.json."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pictures import svg
from pictures.palette import Palette

FIGURES = Path(__file__).parents[2] / "performance.json"
WIDTH, LEFT, RIGHT, TOP, STEP, BAR = 860.0, 270.0, 90.0, 64.0, 26.0, 15.0
HALF_A_DECADE = math.sqrt(10)

Figures = dict[str, dict[str, Any]]


class Bar(NamedTuple):
    """A bar, or several of one name above each other."""

    name: str
    values: tuple[float, ...]
    says: str  # what stands behind it


def rows() -> Figures:
    """The committed figures."""
    return dict(json.loads(FIGURES.read_text(encoding="utf-8"))["rows"])


def peers(palette: Palette) -> str:
    """How much better ours is than each peer."""
    bars = [*_of("peer")]
    title = "Ours beside peers: times as fast, or times as little (log scale)"
    return _plot(palette, bars, title, _log_scale(bars), marks=(0.1, 0.3, 1.0, 3.0, 10.0))


def floors(palette: Palette) -> str:
    """How near ours is to each floor."""
    bars = [*_of("floor")]
    title = "Ours beside the least that can do the same: 1 is the floor (log scale)"
    return _plot(palette, bars, title, _log_scale(bars), marks=(0.01, 0.03, 0.1, 0.3, 1.0))


def start(palette: Palette) -> str:
    """Seconds of computing of whole commands: ours, the peer, the floor."""
    found = {name: row for name, row in rows().items() if name.startswith(("command_start_", "az_", "tab_"))}
    bars = []
    for name, row in found.items():
        values = tuple(row[each] or 0.0 for each in ("ours", "peer", "floor"))
        bars.append(Bar(name.removeprefix("command_start_"), values, " / ".join(f"{each:.2f}" for each in values)))
    most = max((max(each.values) for each in bars), default=1.0)
    title = "Whole az commands: seconds of computing of ours / an extension of azure-iot's size / the floor"
    return _plot(palette, bars, title, lambda value: value / most, marks=(0.0, 0.2, 0.4, 0.6), origin=0.0)


def _of(other: str) -> Iterator[Bar]:
    """Ratios in which more is better, whatever the unit."""
    for name, row in rows().items():
        if row[other] and row["ours"]:
            ratio = row["ours"] / row[other] if row["unit"].endswith("/s") else row[other] / row["ours"]
            yield Bar(name, (ratio,), f"{ratio:.2f}")


def _log_scale(bars: list[Bar]) -> Callable[[float], float]:
    """0 for half a decade below the least, 1 for the most; 1.0 is always on it."""
    values = [each.values[0] for each in bars] + [1.0]
    low, high = math.log10(min(values) / HALF_A_DECADE), math.log10(max(values))
    return lambda value: (math.log10(value) - low) / (high - low)


def _plot(
    palette: Palette,
    bars: list[Bar],
    title: str,
    scale: Callable[[float], float],
    *,
    marks: tuple[float, ...],
    origin: float = 1.0,
) -> str:
    """Bars from the origin, a line for each mark that is on the scale."""
    height = TOP + STEP * len(bars) + 20
    width = WIDTH - LEFT - RIGHT
    parts = [svg.element("rect", class_="page", width=WIDTH, height=height, rx=8)]
    parts.append(svg.text(title, 20, 28, class_="title"))
    for mark in (each for each in marks if 0 <= scale(each) <= 1):
        x = LEFT + scale(mark) * width
        parts.append(svg.element("line", class_="mark", x1=x, x2=x, y1=TOP - 8, y2=height - 14))
        parts.append(svg.text(f"{mark:g}", x, TOP - 13, class_="dim middle"))
    for at, bar in enumerate(bars):
        parts += _bar(bar, TOP + at * STEP, width, scale, origin)
    return svg.document(
        parts,
        width=WIDTH,
        height=height,
        title=title,
        description="\n".join(f"{each.name}: {each.says}." for each in bars),
        css=_css(palette),
    )


def _bar(bar: Bar, y: float, width: float, scale: Callable[[float], float], origin: float) -> Iterator[str]:
    """From where the scale has the origin to each value."""
    yield svg.text(bar.name, LEFT - 10, y + 12, class_="name end")
    thick, begin = BAR / len(bar.values), LEFT + scale(origin) * width
    ends = [begin]
    for at, value in enumerate(bar.values):
        end = LEFT + scale(value) * width
        ends.append(end)
        long = max(1.0, abs(end - begin))
        color = f"bar-{at}" if end >= begin else "worse"
        height = max(1.0, thick - 0.5)
        yield svg.element("rect", class_=color, x=min(begin, end), y=y + at * thick, width=long, height=height)
    yield svg.text(bar.says, max(ends) + 6, y + 12, class_="dim")


def page_css(palette: Palette) -> list[str]:
    """What plots have in common."""
    return [
        f"text {{ font: 13px {svg.SANS}; }}",
        f".page {{ fill: {palette.page}; }}",
        f".title {{ fill: {palette.text}; font-weight: 600; }}",
        f".mark {{ stroke: {palette.border}; }}",
        f".dim {{ fill: {palette.dim}; font-size: 12px; }}",
        ".middle { text-anchor: middle; }",
        ".end { text-anchor: end; }",
    ]


def _css(palette: Palette) -> list[str]:
    return [
        *page_css(palette),
        f".name {{ fill: {palette.text}; font-family: {svg.MONOSPACE}; font-size: 12px; }}",
        f".bar-0 {{ fill: {palette.blue}; }}",
        f".worse {{ fill: {palette.magenta}; }}",
        f".bar-1 {{ fill: {palette.yellow}; }}",
        f".bar-2 {{ fill: {palette.green}; }}",
    ]
