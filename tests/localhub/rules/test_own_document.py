"""The hub's own documents: what they may have, and what is said of anything else."""

from typing import Any

import pytest

from azext_iotjobs.localhub.rules.own_document import DocumentMistake, Member, read_members

MEMBERS = {
    "name": Member(kind=str, is_required=True, least=1, most=5),
    "count": Member(kind=int, least=1, most=1000),
    "share": Member(kind=float),
    "code": Member(kind=int, one_of=(3, 5)),
    "live": Member(kind=bool),
}


@pytest.mark.parametrize(
    "document",
    [
        {"name": "a"},
        {"name": "a", "count": 1000, "share": 1, "code": 5, "live": False},
        {"name": "a", "share": 0.5},
    ],
)
def test_what_is_allowed_is_read_as_it_is(document: Any) -> None:
    assert read_members(document, MEMBERS) == document


def test_null_is_as_if_a_member_were_absent() -> None:
    assert read_members({"name": "a", "count": None}, MEMBERS) == {"name": "a"}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ([], "It must be a JSON object. It may have name, count, share, code, live."),
        ({}, "name: It is missing. It is a text of 1 to 5 characters."),
        ({"name": None}, "name: It is missing. It is a text of 1 to 5 characters."),
        (
            {"name": "a", "nam\n": 1},
            "'nam\\n': There is no such member. There may be name, count, share, code, live.",
        ),
        ({"name": ""}, "name: '' is not allowed. It is a text of 1 to 5 characters."),
        ({"name": "\ud800"}, "name: '\\ud800' is not allowed. It is a text of 1 to 5 characters."),
        ({"name": 1}, "name: 1 is not allowed. It is a text of 1 to 5 characters."),
        ({"name": "a", "count": 0}, "count: 0 is not allowed. It is a whole number, 1 to 1,000."),
        ({"name": "a", "count": 1.5}, "count: 1.5 is not allowed. It is a whole number, 1 to 1,000."),
        ({"name": "a", "count": True}, "count: True is not allowed. It is a whole number, 1 to 1,000."),
        ({"name": "a", "share": "1"}, "share: '1' is not allowed. It is a number."),
        ({"name": "a", "code": 4}, "code: 4 is not allowed. It is 3 or 5."),
        ({"name": "a", "code": True}, "code: True is not allowed. It is 3 or 5."),
        ({"name": "a", "live": 1}, "live: 1 is not allowed. It is true or false."),
    ],
)
def test_anything_else_is_named_with_what_is_allowed(document: Any, text: str) -> None:
    with pytest.raises(DocumentMistake) as raised:
        read_members(document, MEMBERS)
    assert str(raised.value) == text


def test_a_long_value_is_not_repeated_whole() -> None:
    with pytest.raises(DocumentMistake) as raised:
        read_members({"name": "x" * 1000}, MEMBERS)
    assert len(str(raised.value)) < 150
