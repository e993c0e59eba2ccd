"""Values -> the short cells of a table: one line, no control characters. Pure."""

import json
import re
from typing import Any

from azext_iotjobs.cli.output.characters import python_escape

CELL = 40  # characters of a cell that may be longer; a terminal has 80 to 200
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:00)")
NO_TIME = ("9999-", "0001-")  # the hub's ways to say "not yet" and "never"
NOISE = ("$metadata", "$version")


def printable(value: Any) -> Any:
    """The same value with every text fit for a terminal: no control characters, in keys neither."""
    if isinstance(value, str):
        return value if value.isprintable() else "".join(map(_visible, value))
    if isinstance(value, dict):
        return {printable(key): printable(inner) for key, inner in value.items()}
    return [printable(inner) for inner in value] if isinstance(value, list | tuple) else value


def heading(name: str) -> str:
    """A column's name."""
    return name[:1].upper() + name[1:CELL]


def value_cell(value: Any) -> str:
    """A value of which no more is known than what it looks like."""
    if isinstance(value, str) and INSTANT.fullmatch(value):
        return time_cell(value)
    return cell(round(value, 3) if isinstance(value, float) else value)


def cell(value: Any, width: int = CELL) -> str:
    """A value as it stands in a cell: one line, short, JSON for what is no text."""
    if value is None:
        return ""
    if isinstance(value, dict):
        value = {name: inner for name, inner in value.items() if name not in NOISE}
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else ""
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return shortened(printable(text[: width + 1]), width)


def shortened(text: str, width: int) -> str:
    """A text of at most `width` characters; one that is longer ends between two words, where it has any."""
    if len(text) <= width:
        return text
    room = text[: width - 1]
    ends = [place.end() for place in re.finditer(r"[^\s,;|]+(?=[\s,;|])", text[:width])]
    return f"{room[: ends[-1]] if ends and ends[-1] > width // 3 else room}…"


def time_cell(value: Any) -> str:
    """An instant to the second; nothing for what the hub gives when there is none."""
    if not isinstance(value, str) or value.startswith(NO_TIME):
        return ""
    return cell(f"{value[:19]}Z" if value.endswith(("Z", "+00:00")) else value)


def _visible(character: str) -> str:
    return character if character.isprintable() else python_escape(character)
