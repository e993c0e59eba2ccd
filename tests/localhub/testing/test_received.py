"""How tests see messages, and what they may look for in them."""

from typing import Any

import pytest

from azext_iotjobs.localhub.testing.received import decoded, matches, shown, shown_match


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "expected"),
    [
        (b'{"t": 1}', "application/json", "utf-8", {"t": 1}),
        (b"21", "application/json", None, 21),
        (b"21", "application/vnd.example+JSON; charset=utf-8", None, 21),
        (b'{"t": 1}', None, None, {"t": 1}),
        (b" [1]", None, None, [1]),
        (b"21", None, None, "21"),
        (b'{"t": 1}', "text/plain", None, '{"t": 1}'),
        (b"{half", None, None, "{half"),
        (b"{half", "application/json", None, "{half"),
        ("é".encode("utf-16"), "text/plain", "utf-16", "é"),
        (b"\xff\x00", None, None, b"\xff\x00"),
        (b"a", None, "no-such-encoding", b"a"),
        (b"", None, None, ""),
    ],
)
def test_a_body_is_what_its_sender_says(
    body: bytes, content_type: str | None, encoding: str | None, expected: Any
) -> None:
    assert decoded(body, content_type, encoding) == expected


@pytest.mark.parametrize(
    ("value", "match", "is_one"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2}}, True),
        ({"a": {"x": 1}}, {"a": {"y": 2}}, False),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": 1}, {}, True),
        ("text", {}, False),
        (1, True, False),
        (True, True, True),
        ("text", "text", True),
        (5, lambda value: value > 4, True),
        (5, lambda value: value > 5, False),
    ],
)
def test_a_match_is_a_predicate_or_an_equal_value_or_a_part_of_an_object(value: Any, match: Any, is_one: bool) -> None:
    assert matches(value, match) is is_one


def test_errors_show_values_in_one_line_of_some_length() -> None:
    assert shown({"a": [1, "é"]}) == '{"a": [1, "\\u00e9"]}' and shown(b"\x00") == "b'\\x00'"
    assert len(shown("x" * 1000)) < 400 and shown("x" * 1000).endswith("…")
    assert shown_match({"a": 1}) == '{"a": 1}' and shown_match(is_warm) == "is_warm"


def is_warm(value: float) -> bool:
    return value > 20
