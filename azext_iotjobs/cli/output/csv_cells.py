"""Values <-> CSV cells that a spreadsheet shows and does not run. Pure."""

import csv
import io
import json
import re
from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.output.characters import CONTROLS, DIRECTION_MARKS, LONE_SURROGATES

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet runs as a formula, OWASP "CSV injection"
UNSAFE = re.compile(f"[{CONTROLS}{DIRECTION_MARKS}{LONE_SURROGATES}]")
SHIELD = "'"
LOOKED_AT = (SHIELD, *RISKY)  # how what may need a shield begins


def cell(value: Any) -> str:
    """A JSON value as a cell: None is empty, numbers are bare, text is shielded, the rest is JSON."""
    if value is None:
        return ""
    if isinstance(value, str) and value.isprintable() and not value.startswith(LOOKED_AT):
        return value  # nearly all are, and a file may have a million of them
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value)
    # A device may send any text, and a table may be read at a terminal.
    return UNSAFE.sub(_escape, SHIELD + text if _is_risky(text) else text)


def csv_line(cells: Iterable[str]) -> bytes:
    """Cells that `cell` made as a line of a file, with its end."""
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()  # a cell has no character that UTF-8 lacks


def original(text: str) -> str:
    """The text of a cell that `cell` made of a text without control characters."""
    return text[1:] if text.startswith(SHIELD) and _is_risky(text) else text


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _is_risky(text: str) -> bool:
    # A text that is shielded already gets a second shield, so that one of them can always be taken off.
    return text.lstrip(SHIELD).startswith(RISKY)
