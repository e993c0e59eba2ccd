"""Values -> the short cells of a table: one line, no control characters. Pure."""

import json
import re
from typing import Any

from azext_iotjobs.cli.output.characters import python_escape

CELL = 40  # characters; a terminal has 80 to 200
REASON = 4_000
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:00)")
MAX_INSTANT = len("2026-12-01T08:00:00.123456789+00:00")
NO_TIME = ("9999-", "0001-")  # what the hub writes for "not yet" and "never"
NOISE = ("$metadata", "$version")


def printable(value: Any) -> Any:
    """The same value without control characters in its texts, keys included."""
    if isinstance(value, str):
        return value if value.isprintable() else "".join(map(_visible, value))
    if isinstance(value, dict):
        return {printable(key): printable(inner) for key, inner in value.items()}
    return [printable(inner) for inner in value] if isinstance(value, list | tuple) else value


def heading(name: str) -> str:
    """A column's name."""
    return name[:1].upper() + name[1:CELL]


def value_cell(value: Any) -> str:
    """A cell for a value of unknown meaning: instants are recognised by their form, numbers are rounded."""
    if isinstance(value, str) and len(value) <= MAX_INSTANT and INSTANT.fullmatch(value):
        return time_cell(value)
    return cell(round(value, 3) if isinstance(value, float) else value)


def cell(value: Any, width: int = CELL) -> str:
    """A value as the text of a cell: one short line; a value that is not text is written as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):  # nearly all are short, and tables may have a million of them
        return value if len(value) <= width and value.isprintable() else shortened(printable(value[: width + 1]), width)
    if isinstance(value, dict):
        value = {name: inner for name, inner in value.items() if name not in NOISE}
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else ""
    else:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return shortened(printable(text[: width + 1]), width)


def reason_cell(value: Any) -> str:
    """Why something is as it is, whole: somebody acts on it. A terminal that is too narrow has it shortened later."""
    return cell(value, REASON)


def shortened(text: str, width: int) -> str:
    """A text of at most `width` characters; a longer one is cut, between two words where possible."""
    if len(text) <= width:
        return text
    room = text[: width - 1]
    ends = [found.end() for found in re.finditer(r"[^\s,;|]+(?=[\s,;|])", text[:width])]
    return f"{room[: ends[-1]] if ends and ends[-1] > width // 3 else room}…"


def time_cell(value: Any) -> str:
    """An instant, to the second; empty for the values that the hub uses for "none"."""
    if not isinstance(value, str) or value.startswith(NO_TIME):
        return ""
    return cell(f"{value[:19]}Z" if value.endswith(("Z", "+00:00")) else value)


def _visible(character: str) -> str:
    return character if character.isprintable() else python_escape(character)
