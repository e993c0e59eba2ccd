"""Boxes and arrows as SVG: where boxes are is given, arrows find their way from border to border. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pictures import svg
from pictures.palette import Palette

STEPS = 200  # along an arrow, to find where it leaves one box and meets the other
GAP = 4.0  # between an arrow and a box
HEAD, HALF = 9.0, 4.5  # of an arrow
LOOP, LOOP_OFF = 34.0, 40.0  # how high, and how far from the middle of its box
NOTE_LINE = 17.0
CHARACTER, LINE = 7.2, 16.0  # of an arrow's text; about as wide


class Point(NamedTuple):
    """In pixels, from the left and from the top."""

    x: float
    y: float


class Box(NamedTuple):
    """A rectangle with a text in it."""

    text: str
    center: Point
    fill: int  # which of the palette's
    width: float = 112.0
    height: float = 38.0
    note: str = ""  # lines below the text

    def contains(self, point: Point) -> bool:
        """Whether a point is in it, or too near."""
        across = self.width / 2 + GAP
        return abs(point.x - self.center.x) < across and abs(point.y - self.center.y) < self.height / 2 + GAP


class Arrow(NamedTuple):
    """From one box to another, or back to the same."""

    source: str
    target: str
    text: str
    bend: float = 0.0  # pixels that its middle is off the straight way, to the right of who walks there
    at: float = 0.5  # how far along its text is, 0 to 1


def css(palette: Palette) -> list[str]:
    """The rules that boxes and arrows need."""
    return [
        f".page {{ fill: {palette.page}; stroke: {palette.border} }}",
        f"text {{ font: 14px {svg.SANS}; fill: {palette.text}; text-anchor: middle }}",
        ".name { font-weight: 600 }",
        ".small { font-size: 12.5px }",
        f".arrow {{ font-size: 13px; fill: {palette.dim}; }}",
        f".under {{ fill: {palette.page} }}",
        f".line {{ fill: none; stroke: {palette.dim}; stroke-width: 1.4 }}",
        f".head {{ fill: {palette.dim} }}",
        f".box {{ stroke: {palette.border} }}",
    ]


def graph(boxes: Mapping[str, Box], arrows: Sequence[Arrow], palette: Palette) -> Iterator[str]:
    """The elements of boxes, by their names, and of the arrows between them."""
    for arrow in arrows:
        yield from _line(arrow, boxes)
    for box in boxes.values():
        yield from drawn_box(box, palette)
    for arrow in arrows:
        x, y = _place_of_text(arrow, boxes)
        for number, line in enumerate(lines := arrow.text.split("\n")):
            yield from label(line, Point(x, y + LINE * (number - (len(lines) - 1) / 2)))


def label(text: str, center: Point) -> Iterator[str]:
    """A text, and under it what hides the arrow."""
    width = CHARACTER * len(text) + 4
    yield svg.element("rect", x=center.x - width / 2, y=center.y - LINE / 2, width=width, height=LINE, class_="under")
    yield svg.text(text, center.x, center.y + 4.5, class_="arrow")


def drawn_box(box: Box, palette: Palette) -> Iterator[str]:
    """The elements of a box."""
    left, top = box.center.x - box.width / 2, box.center.y - box.height / 2
    fill = palette.fills[box.fill]
    yield svg.element("rect", x=left, y=top, width=box.width, height=box.height, rx=8, fill=fill, class_="box")
    notes = box.note.split("\n") if box.note else []
    y = box.center.y + 5 - NOTE_LINE * len(notes) / 2
    yield svg.text(box.text, box.center.x, y, class_="name")
    for number, line in enumerate(notes, start=1):
        yield svg.text(line, box.center.x, y + NOTE_LINE * number, class_="small")


def drawn_line(start: Point, control: Point, end: Point) -> Iterator[str]:
    """The elements of a curve with a head at its end."""
    path = f"M{start.x:.1f} {start.y:.1f}Q{control.x:.1f} {control.y:.1f} {end.x:.1f} {end.y:.1f}"
    yield svg.element("path", d=path, class_="line")
    yield _head(control, end)


def _line(arrow: Arrow, boxes: Mapping[str, Box]) -> Iterator[str]:
    """The line of an arrow, and its head."""
    if arrow.source == arrow.target:
        box = boxes[arrow.source]
        x, y = box.center.x - LOOP_OFF, box.center.y - box.height / 2 - GAP
        high = y - LOOP
        path = f"M{x - 16:g} {y:g}C{x - 34:g} {high:g} {x + 34:g} {high:g} {x + 16:g} {y:g}"
        yield svg.element("path", d=path, class_="line")
        yield _head(Point(x + 22, y - 14), Point(x + 16, y))
        return
    yield from drawn_line(*_curve(arrow, boxes))


def _head(behind: Point, tip: Point) -> str:
    """The head of an arrow that comes from `behind`."""
    dx, dy = tip.x - behind.x, tip.y - behind.y
    length = (dx * dx + dy * dy) ** 0.5
    dx, dy = dx / length, dy / length
    back = Point(tip.x - HEAD * dx, tip.y - HEAD * dy)
    one, other = Point(back.x - HALF * dy, back.y + HALF * dx), Point(back.x + HALF * dy, back.y - HALF * dx)
    corners = " ".join(f"{point.x:.1f},{point.y:.1f}" for point in (tip, one, other))
    return svg.element("polygon", points=corners, class_="head")


def _curve(arrow: Arrow, boxes: Mapping[str, Box]) -> tuple[Point, Point, Point]:
    """The part of an arrow that is between its boxes: start, control point, end."""
    whole = _whole(arrow, boxes)
    source, target = boxes[arrow.source], boxes[arrow.target]
    places = [step / STEPS for step in range(STEPS + 1)]
    first = next(place for place in places if not source.contains(_mixed(whole, place, place)))
    last = next(place for place in reversed(places) if not target.contains(_mixed(whole, place, place)))
    return _mixed(whole, first, first), _mixed(whole, first, last), _mixed(whole, last, last)


def _whole(arrow: Arrow, boxes: Mapping[str, Box]) -> tuple[Point, Point, Point]:
    """An arrow from center to center."""
    start, end = boxes[arrow.source].center, boxes[arrow.target].center
    dx, dy = end.x - start.x, end.y - start.y
    length = (dx * dx + dy * dy) ** 0.5
    off = 2 * arrow.bend / length  # the curve goes half the way to its control point
    return start, Point((start.x + end.x) / 2 - dy * off, (start.y + end.y) / 2 + dx * off), end


def _mixed(curve: tuple[Point, Point, Point], one: float, other: float) -> Point:
    """The blossom of a quadratic curve: its point where both are the same, else the control point between them."""
    weights = ((1 - one) * (1 - other), one * (1 - other) + other * (1 - one), one * other)
    pairs = list(zip(weights, curve, strict=True))
    return Point(sum(weight * point.x for weight, point in pairs), sum(weight * point.y for weight, point in pairs))


def _place_of_text(arrow: Arrow, boxes: Mapping[str, Box]) -> Point:
    if arrow.source == arrow.target:
        center = boxes[arrow.source].center
        return Point(center.x - LOOP_OFF, center.y - boxes[arrow.source].height / 2 - LOOP)
    return _mixed(_curve(arrow, boxes), arrow.at, arrow.at)
