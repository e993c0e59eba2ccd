"""Texts that devices and hubs wrote, as every report shows them: nothing invisible, nothing endless. Pure."""

import json
import re
from datetime import datetime
from html import escape
from typing import Any

from azext_iotjobs.cli.output.characters import CONTROLS, DIRECTION_MARKS, LONE_SURROGATES
from azext_iotjobs.model.clock import render_instant

# What XML 1.0 has no way to write (2.2, "Char"), what turns the direction of a text, and controls that it allows.
UNSEEN = re.compile(f"[{CONTROLS}{DIRECTION_MARKS}{LONE_SURROGATES}\ufffe\uffff]")


def visible(text: str) -> str:
    """The text with an escape such as \\x1b for what cannot be seen or steers a text; tab and line feed stay."""
    return UNSEEN.sub(_escape, text)


def html_text(text: str) -> str:
    """The same as HTML, between tags or in an attribute."""
    return escape(visible(text))


def one_line(text: str) -> str:
    """The text on one line, nothing of it invisible."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def cut(text: str, most: int) -> str:
    """At most `most` characters of a text, and how many it has if that is more."""
    return text if len(text) <= most else f"{text[:most]}… (cut: {len(text):,} characters)"


def text_of(value: Any) -> str:
    """A JSON value as text: None is empty, text is itself, the rest is JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def heading(column: str) -> str:
    """A column's name for people: "errorClass" is "Error class"; a path of a twin stays as it is."""
    if not column.isalpha():
        return column
    return re.sub(r"(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", column).capitalize()


def duration(seconds: float | None) -> str:
    """A duration for people: "7.2 s", "3 min 20 s", "1 h 4 min"; empty where there is none."""
    if seconds is None:
        return ""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest_s} s"


def moment(at: datetime | None) -> str:
    """An instant for people, in UTC and to the second; empty where there is none."""
    return "" if at is None else render_instant(at, "seconds").replace("T", " ").removesuffix("Z")


def percent(count: int, total: int) -> str:
    """A share for people; only all are 100 %, and only none are 0 %."""
    if not total:
        return ""
    if count in (0, total):
        return "100 %" if count else "0 %"
    return f"{min(99.9, max(0.1, 100 * count / total)):.1f} %"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
