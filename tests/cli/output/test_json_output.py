"""JSON of lists with very many rows is what az itself prints, character by character."""

import json
from collections import OrderedDict
from typing import Any

import pytest
from knack.output import format_json
from knack.util import CommandResultItem

from azext_iotjobs.cli.output.json_output import MANY, is_many_rows, many_rows

ROWS: list[Any] = [
    {"deviceId": "d-1", "status": "completed", "tries": 1, "durationSeconds": 0.25, "payload": None, "ok": True},
    {"z": "last", "a": "first", "é": "ü", "quote": '"', "line": "a\nb,\n    c", "tab": "\t", "control": "\x1b[2J\x7f"},
    {"half": "\ud800", "pair": "\U0001f600", "slash": "a\\b/c"},
    {"large": 2**70, "float": 1e300, "negative": -0.0, "nan": float("nan"), "endless": float("inf")},
    {"payload": {"b": [1, {"c": "d\ne"}], "a": {}}, "reported": {}, "list": []},
    {"list": [[], [1, 2], {"x": None}], "tuple": (1, "a")},
    {"bytes": b"as text"},
    {1: "a number", 2: "another"},
    {},
    [],
    [1, "two", {"three": 3}],
    "text\nof lines",
    7,
    None,
    True,
    OrderedDict([("b", 1), ("a", 2)]),
]


@pytest.mark.parametrize("row", ROWS, ids=repr)
def test_each_kind_of_row_is_printed_as_az_prints_it(row: Any) -> None:
    for rows in ([row], [row, row], [{"first": 1}, row, {"last": 2}]):
        assert many_rows(rows) == format_json(CommandResultItem(rows))


def test_all_rows_together_are_printed_as_az_prints_them() -> None:
    rows = ROWS * MANY
    assert is_many_rows(rows) and many_rows(rows) == format_json(CommandResultItem(rows))


def test_what_is_no_json_is_refused_as_az_refuses_it() -> None:
    for write in (many_rows, lambda rows: format_json(CommandResultItem(rows))):
        with pytest.raises(TypeError):
            write([{"a": object()}])


@pytest.mark.parametrize(
    "result", [None, {}, {"a": 1}, [], [{}] * (MANY - 1), "text"], ids=lambda each: repr(each)[:20]
)
def test_other_results_are_left_to_az(result: Any) -> None:
    assert not is_many_rows(result)


def test_what_is_printed_is_read_back() -> None:
    rows = [{"deviceId": f"d-{number}", "payload": {"number": number}} for number in range(MANY)]
    assert json.loads(many_rows(rows)) == rows
