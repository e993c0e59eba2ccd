"""az's JSON of lists with very many rows, made row by row: the same text, character by character, for much less.

Python has no fast encoder for JSON that is indented. What most rows are, objects without another one inside, its fast
one makes when what stands between two members is a line's end with their indentation.
"""

import json
from typing import Any

MANY = 100  # rows; below that az's own way is as good
CONTAINERS = (dict, list, tuple)


def is_many_rows(result: Any) -> bool:
    """Whether a result is what `many_rows` is for."""
    return isinstance(result, list) and len(result) >= MANY


def many_rows(rows: list[Any]) -> str:
    """The text that az prints for a list of anything, with -o json."""
    flat = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",\n    ", ": "), default=_text)
    other = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ": "), indent=2, default=_text)
    parts = (
        f"{{\n    {flat.encode(row)[1:-1]}\n  }}" if _is_flat(row) else other.encode(row).replace("\n", "\n  ")
        for row in rows
    )
    between = ",\n  "
    return f"[\n  {between.join(parts)}\n]\n"


def _is_flat(row: Any) -> bool:
    return isinstance(row, dict) and bool(row) and not any(isinstance(each, CONTAINERS) for each in row.values())


def _text(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        return value.decode()
    raise TypeError(f"{type(value).__name__} is no JSON")
