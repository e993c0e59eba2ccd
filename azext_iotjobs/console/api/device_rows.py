"""Rows of a query as a page of the table of devices: cells of the columns that are wanted, and which more there are.

Pure. What twins hold is cut to what a cell shows, so that a page of a hundred large twins stays small.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from azext_iotjobs.console.context import Document

MAX_CHARACTERS = 200  # of a cell
MAX_COLUMNS = 30
MAX_PATHS = 300  # that a page names
MAX_DEPTH = 10  # levels of tags and properties, IoT Hub devguide "device twins"
PARTS = (("tags",), ("properties", "desired"), ("properties", "reported"))
NEVER = "0001-01-01"  # how the hub writes an instant that has not been


def page_of(items: Sequence[Any], columns: Sequence[str]) -> Document:
    """The rows of a page.

    items: as the hub gave them.  columns: paths such as tags.site, for rows that are twins; others have their own.
    """
    rows = [each for each in items if isinstance(each, dict)]
    are_twins = all("connectionState" in each and "deviceId" in each for each in rows)
    shown = list(columns) if are_twins else list(dict.fromkeys(name for row in rows for name in row))
    return {
        "areTwins": are_twins,
        "columns": shown[:MAX_COLUMNS],
        "rows": [_row(each, shown[:MAX_COLUMNS]) for each in rows],
        "paths": _paths(rows) if are_twins else [],
    }


def _row(row: Mapping[str, Any], columns: Sequence[str]) -> Document:
    return {
        "deviceId": _text(row.get("deviceId")),
        "moduleId": _text(row.get("moduleId")),
        "isConnected": row.get("connectionState") == "Connected",
        "isEnabled": row.get("status") != "disabled",
        "cells": [_text(_value_at(row, each)) for each in columns],
    }


def _value_at(row: Mapping[str, Any], path: str) -> Any:
    """What a row has at a path; None: nothing. A name of a twin has no dot."""
    if path in row:
        return row[path]
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):  # reported and desired properties: not what the hub says of their last change
        value = {name: each for name, each in value.items() if not name.startswith("$")} or ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if text.startswith(NEVER):
        return ""
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"


def _paths(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The paths of tags and properties that the twins of a page have, the first MAX_PATHS of them."""
    found: dict[str, None] = {}
    for row in rows:
        for part in PARTS:
            start = ".".join(part)
            for path in _below(_value_at(row, start) or {}, start, MAX_DEPTH):
                found[path] = None
                if len(found) == MAX_PATHS:
                    return sorted(found)
    return sorted(found)


def _below(value: Any, path: str, depth: int) -> Iterator[str]:
    if not isinstance(value, dict):
        yield path
        return
    for name, each in value.items():
        if depth and not name.startswith("$"):
            yield from _below(each, f"{path}.{name}", depth - 1)
