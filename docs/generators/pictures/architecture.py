"""The floors of the code: those of import-linter's contracts in pyproject.toml, which `make check` keeps."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from pictures import svg
from pictures.graph import LINE, Box, Point, css, drawn_box, drawn_line, label
from pictures.palette import Palette

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
CLIENT, HUB = "azext_iotjobs", "azext_iotjobs.localhub"
WIDTH, TOP, HEIGHT, EDGE = 960.0, 76.0, 483.0, 20.0  # TOP and HEIGHT of a house
GAP = 10.0  # between rooms
BETWEEN = "From transport to the local hub: HTTPS, MQTT, AMQP and WebSocket. Neither imports the other."
NOTES: Mapping[str, str] = {
    "cli": "what a person types,\nand what is printed",
    "sdk": "the same\nfor Python programs",
    "operations": "what a verb means: loops, waiting, drivers",
    "clients": "endpoints\nof a hub",
    "simulator": "what a device\ndoes",
    "fleet_job": "what a run does,\nand its store",
    "central": "documents of\nIoT Central",
    "transport": "requests, paho, azure-eventhub",
    "model": "values, errors, Clock; standard library only",
}
DOORS, WORK, WIRE, VALUES = 0, 2, 3, 1  # fills
FILLS: Mapping[str, int] = {
    **dict.fromkeys(("cli", "sdk", "__main__", "testing"), DOORS),
    **dict.fromkeys(("transport", "amqp", "http", "mqtt"), WIRE),
    **dict.fromkeys(("model", "rules", "query", "clock", "errors"), VALUES),
}


class House(NamedTuple):
    """Floors, drawn one below the other; whoever is above may import what is below."""

    title: str
    text: str
    floors: Sequence[Sequence[str]]  # their rooms, from the top
    left: float
    width: float

    @property
    def room_height(self) -> float:
        """Of each of its rooms."""
        return (HEIGHT - GAP) / len(self.floors) - GAP


def floors(package: str) -> list[list[str]]:
    """The floors of a package, from the top; on each, its rooms."""
    contracts = _toml()["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each.get("containers") == [package])
    return [re.split(r" [|:] ", layer) for layer in layers]


def houses() -> tuple[House, House]:
    """That of the commands and that of the local hub."""
    return (
        House("azext_iotjobs", "the commands and the Python library; imports go down only", floors(CLIENT), EDGE, 540),
        House("azext_iotjobs.localhub", "the local hub, a program of its own", floors(HUB), 680, 260),
    )


def picture(palette: Palette) -> str:
    """Both houses, and what goes between them."""
    both = houses()
    boxes = {name: box for house in both for name, box in rooms(house).items()}
    height = TOP + HEIGHT + EDGE
    source, target = boxes["transport"], boxes["amqp"]
    start = Point(source.center.x + source.width / 2 + GAP, source.center.y)
    end = Point(target.center.x - target.width / 2 - GAP, target.center.y)
    middle = Point((start.x + end.x) / 2, (start.y + end.y) / 2)
    parts = [svg.element("rect", x=0.5, y=0.5, width=WIDTH - 1, height=height - 1, rx=10, class_="page")]
    parts += [each for house in both for each in _frame(house)]
    parts += [each for box in boxes.values() for each in drawn_box(box, palette)]
    parts += drawn_line(start, middle, end)
    for number, line in enumerate(("HTTPS, MQTT,", "AMQP,", "WebSocket")):
        parts += label(line, Point(middle.x, middle.y + LINE * (number - 1)))
    return svg.document(
        parts,
        width=WIDTH,
        height=height,
        title="The floors of the code",
        description="\n".join([*in_words(both[0]), *in_words(both[1]), BETWEEN]),
        css=[*css(palette), *_css(palette)],
    )


def in_words(house: House) -> Iterator[str]:
    """A house as text."""
    yield f"{house.title}, {house.text}. Its floors from the top:"
    yield from (", ".join(floor) for floor in house.floors)


def rooms(house: House) -> dict[str, Box]:
    """The boxes of a house."""
    found = {}
    for number, floor in enumerate(house.floors):
        width = (house.width - 2 * GAP - (len(floor) - 1) * GAP) / len(floor)
        y = TOP + GAP + house.room_height / 2 + number * (house.room_height + GAP)
        for place, room in enumerate(floor):
            x = house.left + GAP + width / 2 + place * (width + GAP)
            found[room] = Box(room, Point(x, y), FILLS.get(room, WORK), width, house.room_height, NOTES.get(room, ""))
    return found


def _frame(house: House) -> Iterator[str]:
    yield svg.text(house.title, house.left, TOP - 34, class_="title")
    yield svg.text(house.text, house.left, TOP - 13, class_="note")
    yield svg.element("rect", x=house.left, y=TOP, width=house.width, height=HEIGHT, rx=10, class_="frame")


def _css(palette: Palette) -> list[str]:
    return [
        ".title { font-size: 17px; font-weight: 700; text-anchor: start }",
        f".note {{ text-anchor: start; fill: {palette.dim} }}",
        f".frame {{ fill: none; stroke: {palette.border} }}",
    ]


def _toml() -> Any:
    toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    return toml.loads(PYPROJECT.read_text(encoding="utf-8"))
