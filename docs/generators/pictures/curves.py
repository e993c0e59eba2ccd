"""The plot of large-local-hubs.md: what steps cost with more and more devices, of the committed figures."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from pictures import svg
from pictures.palette import Palette
from pictures.performance import page_css, rows

ROW = re.compile(r"million_(\d+)_(\w+)")
STEPS = {
    "seed": "filled by a seed",
    "selection": "a job on all: devices selected, stored",
    "query_first": "a page by a tag: the first time",
    "groups": "GROUP BY a tag",
    "job": "a twin job on a hundredth, whole",
    "start": "started again",
    "count": "COUNT() by a tag: afterwards",
    "query": "a page by a tag: afterwards",
}  # of benchmarks/page_rows.py
COLORS = ("blue", "magenta", "red", "yellow", "green", "cyan", "text", "dim")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860.0, 440.0, 80.0, 300.0, 60.0, 40.0
LINE_HEIGHT = 17.0
MARKS_S = {0.001: "1 ms", 0.01: "10 ms", 0.1: "100 ms", 1.0: "1 s", 10.0: "10 s", 100.0: "100 s"}


class Curve(NamedTuple):
    """What a step cost."""

    label: str
    color: str
    points: tuple[tuple[int, float], ...]  # devices and seconds of computing, the fewest devices first


def curves() -> list[Curve]:
    """Those that were measured with several numbers of devices."""
    found: dict[str, dict[int, float]] = {}
    for name, row in rows().items():
        if (match := ROW.fullmatch(name)) and row["ours"]:
            found.setdefault(match[2], {})[int(match[1])] = row["ours"]
    return [
        Curve(label, color, tuple(sorted(found[step].items())))
        for (step, label), color in zip(STEPS.items(), COLORS, strict=True)
        if len(found.get(step, {})) > 1
    ]


def picture(palette: Palette) -> str:
    """A line for each step; both axes are logarithmic."""
    drawn = curves()
    title = "A local hub with more and more devices: its computing for each step (both axes are log scales)"
    parts = [
        svg.element("rect", class_="page", width=WIDTH, height=HEIGHT, rx=8),
        svg.text(title, 20, 28, class_="title"),
    ]
    parts += _marks(drawn)
    for curve in drawn:
        line = " ".join(f"{_x(devices):.1f},{_y(seconds):.1f}" for devices, seconds in curve.points)
        parts.append(svg.element("polyline", class_=f"line of-{curve.color}", points=line))
        parts += [
            svg.element("circle", class_=f"of-{curve.color}", cx=_x(each), cy=_y(s), r=3) for each, s in curve.points
        ]
    parts += _labels(drawn)
    return svg.document(
        parts,
        width=WIDTH,
        height=HEIGHT,
        title=title,
        description="\n".join(_in_words(each) for each in drawn),
        css=_css(palette),
    )


def _in_words(curve: Curve) -> str:
    return f"{curve.label}: " + ", ".join(f"{s:.3g} s with {devices:,} devices" for devices, s in curve.points) + "."


def _marks(drawn: list[Curve]) -> Iterator[str]:
    for seconds, name in MARKS_S.items():
        yield svg.element("line", class_="mark", x1=LEFT, x2=WIDTH - RIGHT, y1=_y(seconds), y2=_y(seconds))
        yield svg.text(name, LEFT - 8, _y(seconds) + 4, class_="dim end")
    for devices in sorted({devices for curve in drawn for devices, _ in curve.points}):
        yield svg.text(f"{devices:,}", _x(devices), HEIGHT - BOTTOM + 22, class_="dim middle")


def _labels(drawn: list[Curve]) -> Iterator[str]:
    """Behind the end of each line, one below the other where ends are near."""
    free_y = 0.0
    for curve in sorted(drawn, key=lambda each: _y(each.points[-1][1])):
        y = max(_y(curve.points[-1][1]) + 4, free_y)
        free_y = y + LINE_HEIGHT
        yield svg.text(curve.label, WIDTH - RIGHT + 12, y, class_=f"of-{curve.color}")


def _x(devices: int) -> float:
    return LEFT + (math.log10(devices) - 4) / 2 * (WIDTH - LEFT - RIGHT)  # from ten thousand to a million


def _y(seconds: float) -> float:
    low, high = math.log10(min(MARKS_S)), math.log10(max(MARKS_S))
    share = (math.log10(max(seconds, min(MARKS_S))) - low) / (high - low)
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _css(palette: Palette) -> list[str]:
    return [
        *page_css(palette),
        *(f".of-{each} {{ fill: {getattr(palette, each)}; }}" for each in COLORS),
        ".line { fill: none; stroke-width: 2; }",
        *(f".line.of-{each} {{ stroke: {getattr(palette, each)}; }}" for each in COLORS),
    ]
